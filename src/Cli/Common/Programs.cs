using System.CommandLine;

namespace Lavt.Cli;

/// <summary>What the executables run.</summary>
public static class Programs
{
    /// <summary>Runs a command line of <c>lavt</c>, whose commands do everything, and returns the exit code, see <see cref="ExitCode"/>.</summary>
    public static int RunLavt(string[] arguments)
    {
        var root = new RootCommand("LAVT finds the object of a picture that a sentence speaks of, and marks its pixels.")
        {
            DemoCommand.Create(),
            PredictCommand.Create(),
            TrainCommand.Create(),
            EvalCommand.Create(),
            DataCommand.Create(),
            ScoreCommand.Create(),
            BenchCommand.Create(),
            ConvertCommand.Create(),
            GoldenCommand.Create(),
            DoctorCommand.Create(),
        };
        HelpPage.Attach(root,
            "lavt demo",
            "lavt predict --image photo.jpg --text \"the man on the left\" --resume checkpoints/refcoco.pth",
            "lavt doctor");
        return CommandLine.Run(root, arguments);
    }

    /// <summary>Runs a command line of <c>lavt-train</c>.</summary>
    public static int RunTrain(string[] arguments) => CommandLine.Run(TrainCommand.CreateRoot(), arguments);

    /// <summary>Runs a command line of <c>lavt-eval</c>.</summary>
    public static int RunEval(string[] arguments) => CommandLine.Run(EvalCommand.CreateRoot(), arguments);
}
