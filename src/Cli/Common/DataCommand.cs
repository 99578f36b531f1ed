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
        var command = new Command("demo", "Draws the demo's data set in REFER's layout.") { folder, seed };
        HelpPage.Attach(command, "lavt data demo --out demo/data", "lavt data demo --out other/data --seed 7");
        command.SetAction(result =>
        {
            DemoScenes.Make(result.GetValue(folder)!, new DemoOptions { Seed = result.GetValue(seed) });
            Console.WriteLine(result.GetValue(folder));
            return ExitCode.Ok;
        });
        return command;
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
