using System.CommandLine;

namespace Lavt.Cli;

/// <summary>The executable <c>lavt</c>, whose commands do everything.</summary>
public static class LavtProgram
{
    /// <summary>Runs a command line and returns the exit code, see <see cref="ExitCode"/>.</summary>
    public static int Run(string[] arguments)
    {
        var root = new RootCommand("LAVT finds the object of a picture that a sentence speaks of, and marks its pixels.")
        {
            DataCommand.Create(),
            DoctorCommand.Create(),
        };
        HelpPage.Attach(root,
            "lavt demo",
            "lavt predict --image photo.jpg --text \"the man on the left\" --resume checkpoints/refcoco.pth",
            "lavt doctor");
        return CommandLine.Run(root, arguments);
    }
}
