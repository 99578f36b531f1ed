using System.CommandLine;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Demo;
using Lavt.Options;
using Lavt.Text;
using Lavt.Training;

namespace Lavt.Cli;

/// <summary><c>lavt data</c>: makes and checks data sets.</summary>
internal static class DataCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("data", "Makes and checks data sets.") { CreateDemo(), CreateVerify() };
        HelpPage.Attach(command, "lavt data demo --out demo/data", "lavt data verify --dataset refcocog --splitBy umd --refer_data_root ./refer/data");
        return command;
    }

    private static Command CreateDemo()
    {
        var folder = new Option<string>("--out") { HelpName = "DIR", Description = "Folder of the data set. Default demo/data.", DefaultValueFactory = _ => Path.Combine("demo", "data") };
        var seed = new Option<ulong>("--seed") { HelpName = "N", Description = "Decides every scene. Default 1.", DefaultValueFactory = _ => 1 };
        var video = new Option<bool>("--video") { Description = "Moving scenes in the layouts of Refer-YouTube-VOS and A2D instead, whose sentences speak of motion." };
        var command = new Command("demo", "Draws the demo's data set in REFER's layout.") { folder, seed, video };
        HelpPage.Attach(command, "lavt data demo --out demo/data", "lavt data demo --out other/data --seed 7", "lavt data demo --video --out demo/videos");
        command.SetAction(result =>
        {
            string to = result.GetValue(folder)!;
            if (result.GetValue(video)) MakeVideos(to, new DemoVideoOptions { Seed = result.GetValue(seed) });
            else DemoScenes.Make(to, new DemoOptions { Seed = result.GetValue(seed) });
            Console.WriteLine(to);
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>The layout of A2D needs a library that nothing else does; without it the rest is made all the same.</summary>
    private static void MakeVideos(string folder, DemoVideoOptions options)
    {
        var status = new StatusLine();
        void Progress(int done, int total) => status.Progress(new TrainingProgress("videos", done, total, null, null));
        bool withA2d = A2dMask.IsSupported;
        DemoVideos.Make(folder, options with { WithA2d = withA2d }, Progress);
        status.Clear();
        if (!withA2d) Terminal.Note("the layout of A2D was left out, since libhdf5 is not installed: on Debian and Ubuntu, apt-get install libhdf5-103-1");
    }

    private static Command CreateVerify()
    {
        var command = new Command("verify", "Reads a whole data set and lists everything that is broken.");
        var flags = new FlagOptions(command);
        HelpPage.Attach(command,
            "lavt data verify --dataset refcoco --refer_data_root ./refer/data",
            "lavt data verify --dataset refcocog --splitBy umd --refer_data_root ./refer/data --bert_tokenizer bert-base-uncased",
            "lavt data verify --dataset ytvos --ytvos_data_root ./data/ReferringYouTubeVOS2021",
            "lavt data verify --dataset a2d --a2d_data_root ./data/A2D/Release");
        command.SetAction(result => Verify(flags.Read(result)));
        return command;
    }

    private static int Verify(LavtOptions options)
    {
        var status = new StatusLine();
        // Without a vocabulary everything but unknown words is checked.
        BertTokenizer? tokenizer = options.Given.Contains("--bert_tokenizer") ? BertTokenizer.Load(options.Data.Tokenizer) : null;
        int errors = 0;
        foreach ((string name, Verifier verifier) in Verifiers.Of(options.Data, tokenizer, Found, Progress))
        {
            DataReport report = verifier.Run();
            status.Clear();
            Console.WriteLine($"{name}: {report.Samples} samples with {report.Sentences} sentences in {report.Pictures} pictures: "
                + string.Join(", ", report.Splits.Select(split => $"{split.Split} {split.Samples}")));
            Console.WriteLine($"{report.Errors} errors, {report.Warnings} warnings, {report.CutOffSentences} sentences cut off");
            errors += report.Errors;
        }
        return errors == 0 ? ExitCode.Ok : ExitCode.Data;

        void Found(DataProblem problem)
        {
            status.Clear();
            Console.WriteLine(problem);
        }

        void Progress(int done, int total) => status.Progress(new TrainingProgress("files", done, total, null, null));
    }
}
