using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lavt.Cli;
using Lavt.Data;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tests.Training;
using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Cli;

/// <summary>What users see when something is wrong with what they give: one message that names it, and an exit code.</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly SmallRun _run = new();

    public void Dispose() => _run.Dispose();

    private string References => Path.Combine(_run.Data, "refcoco", "refs(unc).p");

    private string Instances => Path.Combine(_run.Data, "refcoco", "instances.json");

    private string FirstPicture => Directory.GetFiles(Path.Combine(_run.Data, "images", "mscoco", "images", "train2014")).Order().First();

    private Executable Train(string more = "") => Run("lavt-train", $"{_run.Flags} --model_id bad {more}");

    private Executable Run(string name, string arguments) =>
        Executable.RunIn(_run.Folder, name, arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    /// <summary>The exit code, and a single error message (notes and log lines may stand before it) that names what is wrong.</summary>
    internal static void AssertFails(Executable run, int code, params string[] named)
    {
        Assert.Equal(code, run.ExitCode);
        string message = Assert.Single(run.Errors.Split("error: ")[1..]);
        Assert.DoesNotContain("   at ", message, StringComparison.Ordinal);
        Assert.All(named, part => Assert.Contains(part, message, StringComparison.Ordinal));
    }

    private string Checkpoint()
    {
        TrainingResult result = new Trainer(_run.Options("good", "--epochs 1 --limit-train 3 --limit-val 1"), new SmallRun.Observer(), _run.PathOf("models")).Run(default);
        return result.LastCheckpoint;
    }

    [Theory]
    [InlineData(300)]
    [InlineData(0)]
    public void A_picture_that_is_cut_off_or_empty(int length)
    {
        File.WriteAllBytes(FirstPicture, File.ReadAllBytes(FirstPicture)[..length]);
        AssertFails(Train(), ExitCode.Data, FirstPicture, "lavt data verify");
    }

    [Fact]
    public void A_reference_without_its_annotation()
    {
        JsonNode instances = JsonNode.Parse(File.ReadAllText(Instances))!;
        var annotations = (JsonArray)instances["annotations"]!;
        string id = annotations[0]!["id"]!.ToJsonString();
        annotations.RemoveAt(0);
        File.WriteAllText(Instances, instances.ToJsonString());
        AssertFails(Train(), ExitCode.Data, References, $"annotation {id}", Instances);
    }

    [Fact]
    public void A_pickle_that_names_something_to_run()
    {
        File.WriteAllBytes(References, Encoding.ASCII.GetBytes("cos\nsystem\n(S'touch ran'\ntR."));
        AssertFails(Train(), ExitCode.Data, References, "os.system");
        Assert.False(File.Exists(_run.PathOf("ran")));
    }

    [Fact]
    public void A_checkpoint_that_is_cut_off()
    {
        string file = Checkpoint();
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..5000]);
        AssertFails(Run("lavt-eval", $"--refer_data_root {_run.Data} --bert_tokenizer {_run.Data} --split val --resume {file}"), ExitCode.Checkpoint, file);
    }

    [Fact]
    public void A_checkpoint_of_another_model()
    {
        string file = _run.PathOf("other.pth");
        PthFile.Write(file, new Dictionary<string, object?> { ["model"] = new Dictionary<string, object?> { ["conv1.weight"] = Lavt.Tensors.Tensor.Zeros([3, 3]) } });
        AssertFails(Run("lavt", $"predict --image {FirstPicture} --text circle --resume {file}"), ExitCode.Checkpoint, file, "LAVT");
    }

    [Fact]
    public void A_flag_that_contradicts_the_checkpoint()
    {
        string file = Checkpoint();
        AssertFails(Run("lavt-eval", $"--window12 --split val --resume {file}"), ExitCode.Checkpoint, file, "--window12");
    }

    [Fact]
    public void A_checkpoint_that_is_not_there() =>
        AssertFails(Run("lavt-eval", "--split val --resume nowhere.pth"), ExitCode.Checkpoint, "nowhere.pth", "--resume");

    [Fact]
    public void A_split_that_is_not_there()
    {
        string file = Checkpoint();
        AssertFails(Run("lavt-eval", $"--refer_data_root {_run.Data} --bert_tokenizer {_run.Data} --split testC --resume {file}"), ExitCode.Data, "testC", "--split");
    }

    [Fact]
    public void A_folder_of_checkpoints_that_cannot_be_made()
    {
        File.WriteAllText(_run.PathOf("taken"), "");
        AssertFails(Train("--output-dir taken"), ExitCode.Output, "taken");
    }

    [Fact]
    public void A_sentence_that_is_too_long_is_said_to_be_cut_off()
    {
        string[] arguments = ["predict", "--image", FirstPicture, "--out", "masks", "--bert_tokenizer", _run.Data, "--resume", Checkpoint(), "--text"];
        Executable whole = Executable.RunIn(_run.Folder, "lavt", [.. arguments, "red circle"]);
        Executable cut = Executable.RunIn(_run.Folder, "lavt", [.. arguments, string.Join(' ', Enumerable.Repeat("red circle", 1000))]);
        Assert.Equal((ExitCode.Ok, ExitCode.Ok), (whole.ExitCode, cut.ExitCode));
        Assert.DoesNotContain("no effect", whole.Errors, StringComparison.Ordinal);
        Assert.Contains("the rest has no effect", cut.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Devices_of_two_kinds() => AssertFails(Train("--device cpu:0,cuda:0"), ExitCode.Usage, "--device", "devices of one kind");

    [Fact]
    public void A_broken_picture_in_the_middle_of_training_loses_nothing()
    {
        LavtOptions options = _run.Options("bad");
        ReferDataset dataset = ReferDatasets.Open(options.Data, "train", ReferDatasets.LoadTokenizer(options.Data, options.Model.Bert));
        // The picture that is met last for the first time.
        string picture = dataset.TrainingPlan(0, 0).Select(choice => dataset.Data.PicturePath(dataset[choice.Sample])).Distinct().Last();
        File.WriteAllBytes(picture, []);
        AssertFails(Train("--batch-size 1 --epochs 1"), ExitCode.Data, picture);
        Executable resumed = Train("--batch-size 1 --epochs 1 --resume checkpoints/model_last_bad.pth");
        Assert.Contains("going on behind step", resumed.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_learning_rate_that_is_too_high() => AssertFails(Train("--lr 1e30"), ExitCode.Diverged, "--lr");

    [Fact]
    public void An_evaluation_past_a_broken_picture_says_so_at_the_end()
    {
        string file = Checkpoint(), json = _run.PathOf("results.json");
        File.WriteAllBytes(Directory.GetFiles(Path.GetDirectoryName(FirstPicture)!).Order().ElementAt(10), []);
        Executable run = Run("lavt-eval", $"--refer_data_root {_run.Data} --bert_tokenizer {_run.Data} --split testA --resume {file} --json {json} --overlay masks");
        Assert.Equal(ExitCode.BrokenSamples, run.ExitCode);
        Assert.Contains("mean IoU", run.Output, StringComparison.Ordinal);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(json));
        int rows = report.RootElement.GetProperty("results").GetArrayLength();
        Assert.Equal(rows, Directory.GetFiles(_run.PathOf("masks")).Length);
        Assert.NotEqual(0, report.RootElement.GetProperty("broken_samples").GetArrayLength());
    }

    [Fact]
    public void A_run_that_is_told_to_end_saves_first()
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "lavt-train"), $"{_run.Flags} --model_id ends --epochs 100000 --val-freq 100000 --keep 0 --print-freq 1")
        {
            WorkingDirectory = _run.Folder,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        while (process.StandardError.ReadLine() is { } line && !line.Contains("step 2/", StringComparison.Ordinal))
        {
        }
        using (Process kill = Process.Start("kill", $"-TERM {process.Id}"))
            kill.WaitForExit();
        string rest = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(ExitCode.Terminated, process.ExitCode);
        Assert.Contains("go on with --resume ./checkpoints/model_last_ends.pth", rest, StringComparison.Ordinal);
        Assert.IsType<PickleDict>(PthFile.Read(_run.PathOf("checkpoints/model_last_ends.pth")));
    }

    [Fact]
    public void Verifying_lists_everything_that_is_broken()
    {
        string[] pictures = [.. Directory.GetFiles(Path.GetDirectoryName(FirstPicture)!).Order().Take(2)];
        foreach (string picture in pictures)
            File.WriteAllBytes(picture, []);
        Executable run = Run("lavt", $"data verify --refer_data_root {_run.Data} --bert_tokenizer {_run.Data}");
        Assert.Equal(ExitCode.Data, run.ExitCode);
        Assert.All(pictures, picture => Assert.Contains(picture, run.Output, StringComparison.Ordinal));
    }
}
