namespace Lavt.Cli;

/// <summary>Messages for people. They go to standard error; standard output carries results alone.</summary>
internal static class Terminal
{
    /// <summary>Whether standard error is a terminal on which a line can be written over.</summary>
    public static bool CanRewrite { get; } = !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    /// <summary>Whether standard error is a terminal that understands colours.</summary>
    public static bool HasColours { get; } =
        CanRewrite && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    /// <summary>Says why the program stops.</summary>
    public static void Error(string message) => Console.Error.WriteLine(Coloured("error: ", "31;1") + message);

    /// <summary>Says something that is worth knowing and stops nothing.</summary>
    public static void Note(string message) => Console.Error.WriteLine(Coloured("note: ", "36") + message);

    private static string Coloured(string text, string code) => HasColours ? $"\e[{code}m{text}\e[0m" : text;
}
