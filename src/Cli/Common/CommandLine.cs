using System.CommandLine;
using System.CommandLine.Parsing;
using System.Reflection;
using Lavt.Options;

namespace Lavt.Cli;

/// <summary>Parses a command line, runs its command, and turns whatever goes wrong into one message and an exit code.</summary>
internal static class CommandLine
{
    private static readonly ParserConfiguration s_parsing = new()
    {
        // A sentence may start with @; it is no name of a file with arguments.
        ResponseFileTokenReplacer = null,
        EnablePosixBundling = false,
    };

    private static readonly InvocationConfiguration s_invocation = new()
    {
        EnableDefaultExceptionHandler = false,
        // Saving a checkpoint after SIGTERM takes longer than any time limit that would suit here.
        ProcessTerminationTimeout = null,
    };

    /// <summary>The version of the program, one line.</summary>
    public static string Version { get; } =
        "lavt " + typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    /// <summary>Runs a command line and returns the exit code.</summary>
    public static int Run(RootCommand root, string[] arguments)
    {
        try
        {
            // With a value, --version is the published flag of the language pathway.
            if (arguments is ["--version"])
            {
                Console.WriteLine(Version);
                return ExitCode.Ok;
            }
            ParseResult result = root.Parse(arguments, s_parsing);
            if (!HelpPage.IsAskedFor(result))
                ThrowOnErrors(result);
            return result.Invoke(s_invocation);
        }
        catch (Exception error) when (!System.Diagnostics.Debugger.IsAttached)
        {
            return ErrorReport.Print(error);
        }
    }

    /// <summary>The first error of a command line, as an exception that names the flag and what to do.</summary>
    private static void ThrowOnErrors(ParseResult result)
    {
        Command command = result.CommandResult.Command;
        string? stray = Strays(result).OrderByDescending(IsFlag).FirstOrDefault();
        if (stray is not null)
            throw new OptionException(stray, Unknown(stray, command));
        if (result.Errors.Count == 0)
            return;
        ParseError error = result.Errors[0];
        if (error.SymbolResult is OptionResult { Tokens.Count: 0, IdentifierToken: { } flag } missing)
            throw new OptionException(flag.Value, $"needs a value: {missing.Option.HelpName}");
        if (error.SymbolResult is OptionResult { Tokens: [{ } token], Option: { } option } && option.ValueType.IsPrimitive)
            throw new OptionException(option.Name, $"expected a whole number{(option.ValueType == typeof(ulong) ? " of at least 0" : "")}, got '{token.Value}'");
        if (command is RootCommand && result.Tokens.Count == 0)
            throw new OptionException("lavt", "no command was given; see --help");
        throw new OptionException(command.Name, error.Message);
    }

    /// <summary>Arguments that no flag or command takes. An unknown flag may have been taken for a positional argument.</summary>
    private static IEnumerable<string> Strays(ParseResult result) =>
        result.CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(argument => argument.Tokens).Select(token => token.Value).Where(IsFlag)
            .Concat(result.UnmatchedTokens);

    private static bool IsFlag(string token) => token.Length > 1 && token[0] == '-' && !char.IsAsciiDigit(token[1]);

    private static string Unknown(string word, Command command)
    {
        IEnumerable<string> known = IsFlag(word)
            ? command.Options.SelectMany(option => option.Aliases.Append(option.Name))
            : command.Subcommands.Select(subcommand => subcommand.Name);
        string what = IsFlag(word) ? "no such flag" : command.Subcommands.Count > 0 ? "no such command" : "unexpected argument";
        string advice = Suggestion.Nearest(word.Split('=')[0], known) is { } near ? $"did you mean {near}?" : "see --help";
        return $"{what}; {advice}";
    }
}
