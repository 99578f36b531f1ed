using Lavt.Cli;
using Lavt.Imaging;
using Lavt.Tests.Clips;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Cli;

public sealed class ScoreCommandTests : IDisposable
{
    private readonly DataGolden.TemporaryFolder _folder = DataGolden.NewFolder();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Scores_are_printed_and_written()
    {
        Write("truth", "v/0/00000", 3);
        Write("masks", "Annotations/v/0/00000", 3);
        Executable run = Run("score", "ytvos", "masks", "truth", "--json", "out/scores.json");
        Assert.Equal((ExitCode.Ok, ""), (run.ExitCode, run.Errors));
        string mean = run.Output.Split('\n').Single(line => line.StartsWith("mean", StringComparison.Ordinal));
        Assert.Equal(["mean", "100.00", "100.00", "100.00"], mean.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("\"j_and_f\": 100", File.ReadAllText(Path.Combine(_folder.Folder, "out", "scores.json")));
    }

    [Fact]
    public void Missing_and_surplus_masks_are_named_and_the_exit_code_says_so()
    {
        Write("truth", "v/0/00000", 3);
        Write("truth", "v/1/00000", 3);
        Write("masks", "v/0/00000", 3);
        Write("masks", "w/0/00000", 3);
        Executable run = Run("score", "ytvos", "masks", "truth");
        Assert.Equal(ExitCode.BrokenSamples, run.ExitCode);
        Assert.Contains($"note: surplus: {Path.Combine("masks", "w", "0")}", run.Errors);
        Assert.Contains($"error: {Path.Combine("masks", "v", "1")}: missing", run.Errors);
        Assert.Contains("50.00", run.Output);
    }

    [Theory]
    [InlineData("ytvos", "nowhere", "truth", ExitCode.Data, "nowhere: there is no such folder")]
    [InlineData("davis", "truth", "nowhere", ExitCode.Data, "nowhere: there is no such folder")]
    [InlineData("a2d", "truth", "nowhere", ExitCode.Data, "test_annotations.json: there is no such file")]
    public void What_is_not_there_is_named(string kind, string predictions, string truth, int code, string message)
    {
        Write("truth", "v/0/00000", 3);
        Executable run = Run("score", kind, predictions, truth);
        Assert.Equal(code, run.ExitCode);
        Assert.Contains(message, run.Errors);
    }

    [Fact]
    public void Sets_of_clips_are_verified()
    {
        ClipSets.AddVideo(_folder.Folder, "train", "a", 2);
        ClipSets.WriteExpressions(_folder.Folder, "train", true, ("a", 2, [1]));
        Executable run = Run("data", "verify", "--dataset", "ytvos", "--ytvos_data_root", _folder.Folder);
        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Contains("ytvos: 1 samples with 1 sentences in 2 pictures: train 1", run.Output);
        File.Delete(Path.Combine(_folder.Folder, "train", "JPEGImages", "a", "00005.jpg"));
        run = Run("data", "verify", "--dataset", "ytvos", "--ytvos_data_root", _folder.Folder);
        Assert.Equal(ExitCode.Data, run.ExitCode);
        Assert.Contains("00005.jpg: video a: there is no such file", run.Output);
    }

    private Executable Run(params string[] arguments) => Executable.RunIn(_folder.Folder, "lavt", arguments);

    private void Write(string root, string name, int size)
    {
        string file = Path.Combine(_folder.Folder, root, name + ".png");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        Mask mask = new(size, size);
        mask.Pixels[4] = 1;
        mask.SavePng(file);
    }
}
