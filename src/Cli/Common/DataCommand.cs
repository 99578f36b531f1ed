using System.CommandLine;
using Lavt.Demo;

namespace Lavt.Cli;

/// <summary><c>lavt data</c>: makes and checks data sets.</summary>
internal static class DataCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("data", "Makes and checks data sets.") { CreateDemo() };
        HelpPage.Attach(command, "lavt data demo --out demo/data");
        return command;
    }

    private static Command CreateDemo()
    {
        var folder = new Option<string>("--out") { HelpName = "DIR", Description = "Folder of the data set. Default demo/data.", DefaultValueFactory = _ => Path.Combine("demo", "data") };
        var seed = new Option<int>("--seed") { HelpName = "N", Description = "Decides every scene. Default 0." };
        var command = new Command("demo", "Draws the demo's data set in REFER's layout.") { folder, seed };
        HelpPage.Attach(command, "lavt data demo --out demo/data", "lavt data demo --out other/data --seed 7");
        command.SetAction(result =>
        {
            DemoDataset.Write(result.GetValue(folder)!, result.GetValue(seed));
            Console.WriteLine(result.GetValue(folder));
            return ExitCode.Ok;
        });
        return command;
    }
}
