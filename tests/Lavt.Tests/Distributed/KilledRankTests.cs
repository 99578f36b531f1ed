using System.Diagnostics;
using System.Globalization;
using Lavt.Tests.Training;
using Xunit;

namespace Lavt.Tests.Distributed;

/// <summary>
/// Processes that are killed: the job ends within 15 seconds, and a new start with --resume auto ends with the bits of a run
/// that was left alone. LAVT_KILLS sets how often mpirun's ranks are killed (once unless set).
/// </summary>
public sealed class KilledRankTests(SmallRun run) : IClassFixture<SmallRun>
{
    private static readonly TimeSpan s_endsWithin = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private static int Kills => int.Parse(Environment.GetEnvironmentVariable("LAVT_KILLS") ?? "1", CultureInfo.InvariantCulture);

    /// <summary>Small models of 12 steps, of which each is printed.</summary>
    private string Flags(string name) =>
        $"{run.Flags} --batch-size 2 --epochs 3 --print-freq 1 --threads 1 --resume auto --output-dir {run.Folder} --model_id {name}";

    [Fact]
    public void A_killed_rank_of_mpirun_ends_the_job_and_a_new_start_goes_on_exactly()
    {
        Assert.SkipUnless(MpiTests.IsInstalled, MpiTests.InstallAdvice);
        using (Job whole = Job.Mpi(2, run.Folder, Flags("whole")))
            Assert.True(whole.End(s_patience) == 0, whole.Printed);
        Dictionary<string, object?> expected = CheckpointContents.Of(run.PathOf("model_last_whole.pth"));
        var random = new Random(1);
        int killed = 0;
        for (int i = 0; killed < Kills; i++)
        {
            string name = $"killed{i}";
            bool isKilled = RunAndKill(name, random.Next(2), random.Next(1, 12), random.Next(40));
            if (isKilled) killed++;
            using Job again = Job.Mpi(2, run.Folder, Flags(name));
            Assert.True(again.End(s_patience) == 0, again.Printed);
            Assert.Equal(expected, CheckpointContents.Of(run.PathOf($"model_last_{name}.pth")));
        }
    }

    [Fact]
    public void A_killed_process_over_tcp_ends_the_others_with_one_message()
    {
        int port = Job.FreePort();
        using Job zero = Job.Tcp(0, 2, "127.0.0.1", port, run.Folder, Flags("tcp")), one = Job.Tcp(1, 2, "127.0.0.1", port, run.Folder, Flags("tcp"));
        zero.WaitFor("loss", 2);
        one.Kill();
        var watch = Stopwatch.StartNew();
        Assert.Equal(Lavt.Cli.ExitCode.Distributed, zero.End(s_endsWithin));
        Assert.True(watch.Elapsed < s_endsWithin);
        string message = Assert.Single(zero.Printed.Split('\n'), line => line.Contains("error", StringComparison.Ordinal));
        Assert.Contains("rank 1 is gone", message, StringComparison.Ordinal);

        using Job zeroAgain = Job.Tcp(0, 2, "127.0.0.1", port, run.Folder, Flags("tcp")), oneAgain = Job.Tcp(1, 2, "127.0.0.1", port, run.Folder, Flags("tcp"));
        Assert.True(zeroAgain.End(s_patience) == 0, zeroAgain.Printed);
        Assert.True(oneAgain.End(s_patience) == 0, oneAgain.Printed);
    }

    /// <summary>Kills a rank a moment after a step; false if the run was over first.</summary>
    private bool RunAndKill(string name, int rank, int step, int milliseconds)
    {
        using Job job = Job.Mpi(2, run.Folder, Flags(name));
        job.WaitFor("loss", step);
        Thread.Sleep(milliseconds);
        if (job.Children() is not { Length: 2 } ranks) return false;
        try
        {
            using Process victim = Process.GetProcessById(ranks[rank]);
            victim.Kill();
        }
        catch (ArgumentException)
        {
            return false;
        }
        int? code = job.End(s_endsWithin);
        Assert.NotNull(code);
        return code != 0;
    }
}
