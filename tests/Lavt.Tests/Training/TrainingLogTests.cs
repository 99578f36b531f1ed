using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Training;

public sealed class TrainingLogTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lavt-log-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static StepRecord Step(long step, double loss = 0.5) =>
        new() { Step = step, Epoch = 0, Loss = loss, LearningRate = 1e-3, Seconds = 0.25, DataSeconds = 0, MemoryMib = 100 };

    [Fact]
    public void Lines_come_back_as_they_were_written()
    {
        var validation = new ValidationRecord { Step = 2, Epoch = 0, Sentences = 9, MeanIou = 41.5, OverallIou = 43.25, IsBest = true };
        using (var log = new TrainingLog(_folder, 0))
        {
            log.Add(Step(1));
            log.Add(Step(2, double.NaN));
            log.Add(validation);
        }
        Assert.Equal([Step(1), Step(2, double.NaN)], TrainingLog.ReadSteps(_folder));
        Assert.Equal([validation], TrainingLog.ReadValidations(_folder));
    }

    [Fact]
    public void A_resumed_run_drops_what_it_will_do_again()
    {
        using (var log = new TrainingLog(_folder, 0))
        {
            for (int i = 1; i <= 5; i++)
                log.Add(Step(i));
        }
        File.AppendAllText(Path.Combine(_folder, "steps.jsonl"), "{\"step\": 6, \"ep");
        using (var log = new TrainingLog(_folder, 3))
            log.Add(Step(4, 0.25));
        Assert.Equal([1, 2, 3, 4], TrainingLog.ReadSteps(_folder).Select(step => step.Step));
        Assert.Equal(0.25, TrainingLog.ReadSteps(_folder)[^1].Loss);
    }

    [Fact]
    public void A_new_run_starts_a_new_log()
    {
        using (var log = new TrainingLog(_folder, 0))
            log.Add(Step(1));
        using (var log = new TrainingLog(_folder, 0))
            log.Add(Step(1, 2));
        Assert.Equal(2, Assert.Single(TrainingLog.ReadSteps(_folder)).Loss);
    }
}
