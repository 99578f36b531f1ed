using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Lavt.Demo;
using Lavt.Evaluation;
using Lavt.Options;
using Lavt.Text;
using Lavt.Training;

namespace Lavt.Cli;

/// <summary>
/// <c>lavt demo</c>: draws a data set, trains a small LAVT on it from scratch with <c>lavt-train</c>, evaluates it with
/// <c>lavt-eval</c>, and writes a page about it.
/// </summary>
internal static class DemoCommand
{
    private const string RunName = "demo";
    private const int TrainPictures = 1500;
    private const int PicturesOnPage = 24;

    /// <summary>A LAVT that two cores train in a few minutes.</summary>
    private static readonly string[] s_training =
    [
        "--model", "lavt_one", "--model_id", RunName, "--embed_dim", "24", "--depths", "2-2-2-2", "--heads", "1-2-4-8", "--window", "5",
        "--drop_path", "0", "--ck_bert", "none", "--bert_hidden", "64", "--bert_layers", "2", "--bert_heads", "4", "--bert_intermediate", "256",
        "--bert_positions", "20", "--bert_dropout", "0", "--lang_enc_params", "embeddings+encoder-all", "--loss", "mc_dice", "--lr", "1e-3",
        "--batch-size", "16", "--img_size", "80", "--epochs", "3", "--workers", "1", "--keep", "0", "--print-freq", "50",
    ];

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var folder = new Option<string?>("--out") { HelpName = "DIR", Description = "Folder for everything. Default demo, or demo-video." };
        var seed = new Option<ulong>("--seed") { HelpName = "N", Description = "Decides data and weights. Default 1.", DefaultValueFactory = _ => 1 };
        var video = new Option<bool>("--video") { Description = "Moving scenes and a video model instead, with sentences that speak of motion." };
        var device = new Option<string>("--device") { HelpName = "NAME", Description = "Where to train and evaluate. Default cpu.", DefaultValueFactory = _ => "cpu" };
        var command = new Command("demo", "Draws a data set, trains a small LAVT on it, evaluates it and shows the result.") { folder, seed, video, device };
        HelpPage.Attach(command, "lavt demo", "lavt demo --video", "lavt demo --out other --seed 3", "lavt demo --device cuda");
        command.SetAction(result =>
        {
            string to = Path.GetFullPath(result.GetValue(folder) ?? (result.GetValue(video) ? "demo-video" : "demo"));
            string[] machine = MachineFlags(result.GetValue(device)!);
            return result.GetValue(video) ? VideoDemo.Run(to, result.GetValue(seed), machine) : Run(to, result.GetValue(seed), machine);
        });
        return command;
    }

    /// <summary>The flags that name the device, which must be there before anything is drawn.</summary>
    private static string[] MachineFlags(string device)
    {
        MachineOptions machine = LavtFlags.Table.Find("--device")!.Apply(new LavtOptions(), device).Machine;
        Machine.Prepare(machine);
        return machine.DeviceNames == new MachineOptions().DeviceNames ? [] : ["--device", machine.DeviceNames];
    }

    private static int Run(string folder, ulong seed, string[] machine)
    {
        long started = Stopwatch.GetTimestamp();
        string data = Path.Combine(folder, "data");
        Terminal.Note($"drawing a data set in {data}");
        DemoScenes.Make(data, new DemoOptions { Seed = seed, TrainPictures = TrainPictures });
        string[] where = ["--dataset", "refcoco", "--splitBy", "unc", "--refer_data_root", data, "--bert_tokenizer", data, .. machine];
        string vocabulary = BertTokenizer.Load(data).VocabularySize.ToString(CultureInfo.InvariantCulture);
        int code = Call(folder, "lavt-train", [.. s_training, "--bert_vocabulary", vocabulary, "--seed", seed.ToString(CultureInfo.InvariantCulture), .. where]);
        (string Split, string File, string[] More)[] evaluations =
        [
            ("testA", "testA.json", ["--overlay", "masks"]), ("testA", "testA_swapped.json", ["--swap-sentences"]), ("testB", "testB.json", []),
        ];
        string[] weights = ["--resume", Path.Combine("checkpoints", $"model_best_{RunName}.pth"), "--workers", "1", "--batch-size", "16"];
        foreach ((string split, string file, string[] more) in evaluations)
        {
            if (code == ExitCode.Ok)
                code = Call(folder, "lavt-eval", ["--split", split, .. weights, .. where, "--json", file, .. more]);
        }
        if (code == ExitCode.Ok)
            Show(folder, [.. evaluations.Select(evaluation => EvaluationReport.Load(Path.Combine(folder, evaluation.File)))], Stopwatch.GetElapsedTime(started));
        return code;
    }

    /// <summary>Runs the executable beside this one as a user would, and says so.</summary>
    internal static int Call(string folder, string name, string[] arguments)
    {
        Terminal.Note($"{name} {string.Join(' ', arguments)}");
        using Process process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, name), arguments) { WorkingDirectory = folder })!;
        process.WaitForExit();
        return process.ExitCode;
    }

    private static void Show(string folder, EvaluationReport[] reports, TimeSpan duration)
    {
        string run = Path.Combine(folder, "models", RunName), page = Path.Combine(folder, "index.html");
        new DemoPage
        {
            Steps = TrainingLog.ReadSteps(run),
            Validations = TrainingLog.ReadValidations(run),
            Introduction = "A small LAVT, trained from scratch on drawn scenes",
            Evaluations =
            [
                ("testA", DemoPage.RowsOf(reports[0].Scores)), ("testA, sentences swapped", DemoPage.RowsOf(reports[1].Scores)),
                ("testB, four objects each", DemoPage.RowsOf(reports[2].Scores)),
            ],
            Pictures = [.. reports[0].Results.Take(PicturesOnPage).Select(result => ((IReadOnlyList<string>)[OverlayFolder.FileOf("masks", result.RefId, result.SentenceIndex)], result.Text))],
            Duration = duration,
        }.Save(page);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"mean IoU on testA                       {reports[0].Scores.MeanIou,6:F2}"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"the same with another object's sentence {reports[1].Scores.MeanIou,6:F2}"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:F0} s in all; open {page}"));
    }
}
