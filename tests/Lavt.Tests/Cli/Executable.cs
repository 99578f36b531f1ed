using System.Diagnostics;

namespace Lavt.Tests.Cli;

/// <summary>Runs one of the executables as a user does.</summary>
internal sealed record Executable(int ExitCode, string Output, string Errors)
{
    public static Executable Run(string name, params string[] arguments) => RunIn(Environment.CurrentDirectory, name, arguments);

    public static Executable RunIn(string folder, string name, params string[] arguments) => RunWith([], folder, name, arguments);

    /// <summary>The same with variables of the environment.</summary>
    public static Executable RunWith(Dictionary<string, string> environment, string folder, string name, params string[] arguments)
    {
        // The build gives lavt its short name in its own folder only.
        string file = name == "lavt" ? "Lavt.Program" : name;
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, file), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        start.Environment.Remove("LAVT_DEBUG");
        foreach ((string variable, string value) in environment) start.Environment[variable] = value;
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Executable(process.ExitCode, output, errors.Result);
    }
}
