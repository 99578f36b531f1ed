using System.CommandLine;
using Lavt.Data.Clips;
using Lavt.Scoring;
using Lavt.Training;

namespace Lavt.Cli;

/// <summary><c>lavt score</c>: compares predicted masks with true ones.</summary>
internal static class ScoreCommand
{
    private const int NamedOnScreen = 20;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("score", "Compares predicted masks with true ones: J and F of videos, or IoU and mAP of A2D.")
        {
            CreateYouTubeVos(),
            CreateDavis(),
            CreateA2d(),
        };
        HelpPage.Attach(command, "lavt score ytvos results/Annotations ./data/ReferringYouTubeVOS2021", "lavt score a2d a2d_predicted_masks ./data/A2D/Release --json scores.json");
        return command;
    }

    private static Command CreateYouTubeVos()
    {
        (Command command, Parts parts) = Start("ytvos", "Scores VIDEO/EXPRESSION/FRAME.png against masks in the same layout, or against a data set with masks.");
        var split = new Option<string>("--split") { HelpName = "NAME", Description = "Split of the data set. Default valid.", DefaultValueFactory = _ => "valid" };
        command.Add(split);
        HelpPage.Attach(command, "lavt score ytvos results/Annotations truth/Annotations", "lavt score ytvos results/Annotations ./data/ReferringYouTubeVOS2021 --split valid");
        command.SetAction(result =>
        {
            var status = new StatusLine();
            return Show(parts, result, status, Scorer(status).ScoreSentences(result.GetValue(parts.Predictions)!, result.GetValue(parts.Truth)!, result.GetValue(split)!));
        });
        return command;
    }

    private static Command CreateDavis()
    {
        (Command command, Parts parts) = Start("davis", "Scores objects as palette indices in VIDEO/FRAME.png, or in anno_0, anno_1, … for several annotators.");
        HelpPage.Attach(command, "lavt score davis results ./data/DAVIS/Annotations/480p");
        command.SetAction(result =>
        {
            var status = new StatusLine();
            return Show(parts, result, status, Scorer(status).ScoreObjects(result.GetValue(parts.Predictions)!, result.GetValue(parts.Truth)!));
        });
        return command;
    }

    private static Command CreateA2d()
    {
        (Command command, Parts parts) = Start("a2d", "Scores VIDEO/FRAME/INSTANCE.png against A2D-Sentences: mean and overall IoU, precision@X, mAP.");
        var split = new Option<string>("--split") { HelpName = "NAME", Description = "Split of A2D-Sentences. Default test.", DefaultValueFactory = _ => "test" };
        command.Add(split);
        HelpPage.Attach(command, "lavt score a2d a2d_predicted_masks ./data/A2D/Release");
        command.SetAction(result =>
        {
            var status = new StatusLine();
            A2dData data = A2dData.Load(result.GetValue(parts.Truth)!, result.GetValue(split)!);
            A2dScores scores = A2dScorer.Score(result.GetValue(parts.Predictions)!, data, Progress(status));
            status.Clear();
            Console.Write(scores);
            if (result.GetValue(parts.Json) is { } file) scores.Save(file);
            return Name(scores.Missing, scores.Surplus);
        });
        return command;
    }

    private static (Command Command, Parts Parts) Start(string name, string description)
    {
        var parts = new Parts(
            new Argument<string>("predictions") { Description = "Folder of predicted masks." },
            new Argument<string>("truth") { Description = "Folder of true masks, or of the data set." },
            new Option<string>("--json") { HelpName = "FILE", Description = "Write every score." });
        return (new Command(name, description) { parts.Predictions, parts.Truth, parts.Json }, parts);
    }

    private static VideoScorer Scorer(StatusLine status) => new(Environment.ProcessorCount) { Progress = Progress(status) };

    private static Action<int, int> Progress(StatusLine status) => (done, total) =>
    {
        lock (status) status.Progress(new TrainingProgress("scoring", done, total, null, null));
    };

    private static int Show(Parts parts, ParseResult result, StatusLine status, VideoScores scores)
    {
        status.Clear();
        Console.Write(scores);
        if (result.GetValue(parts.Json) is { } file) scores.Save(file);
        return Name(scores.Missing, scores.Surplus);
    }

    /// <summary>Names what does not belong together; missing predictions make the result one of broken samples.</summary>
    private static int Name(IReadOnlyList<string> missing, IReadOnlyList<string> surplus)
    {
        foreach (string file in surplus.Take(NamedOnScreen)) Terminal.Note($"surplus: {file}");
        if (surplus.Count > NamedOnScreen) Terminal.Note($"… and {surplus.Count - NamedOnScreen} more that belong to nothing; --json lists all");
        foreach (string line in missing.Take(NamedOnScreen)) Terminal.Error(line);
        if (missing.Count > NamedOnScreen) Terminal.Error($"… and {missing.Count - NamedOnScreen} more predictions are missing or broken; --json lists all");
        return missing.Count == 0 ? ExitCode.Ok : ExitCode.BrokenSamples;
    }

    private sealed record Parts(Argument<string> Predictions, Argument<string> Truth, Option<string> Json);
}
