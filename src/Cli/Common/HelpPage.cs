using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Globalization;
using Lavt.Options;

namespace Lavt.Cli;

/// <summary>The help of a command: what it does, examples first, then its flags by group with their defaults.</summary>
/// <param name="examples">Command lines that work as they stand.</param>
internal sealed class HelpPage(params string[] examples) : SynchronousCommandLineAction
{
    private const int Column = 34;

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <summary>Whether the command line asks for help.</summary>
    public static bool IsAskedFor(ParseResult result) => result.Action is HelpPage;

    /// <summary>Gives a command this page as its help, in place of the library's.</summary>
    public static void Attach(Command command, params string[] examples)
    {
        foreach (Option builtIn in command.Options.Where(option => option is HelpOption or VersionOption).ToArray())
            command.Options.Remove(builtIn);
        command.Options.Add(new HelpOption { Action = new HelpPage(examples) });
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        Command command = parseResult.CommandResult.Command;
        TextWriter output = parseResult.InvocationConfiguration.Output;
        output.WriteLine(command.Description);
        output.WriteLine();
        output.WriteLine("Examples");
        foreach (string example in examples)
            output.WriteLine("  " + example);
        WriteCommands(output, command);
        WriteOwnOptions(output, command);
        if (HasFlags(command))
            WriteFlags(output);
        return ExitCode.Ok;
    }

    /// <summary>Whether the command takes the flags of <see cref="LavtFlags"/>.</summary>
    private static bool HasFlags(Command command) => command.Options.Any(option => option.Name == "--model");

    private static void WriteCommands(TextWriter output, Command command)
    {
        if (command.Subcommands.Count == 0)
            return;
        output.WriteLine();
        output.WriteLine("Commands");
        foreach (Command subcommand in command.Subcommands)
            WriteRow(output, subcommand.Name, subcommand.Description!);
        output.WriteLine();
        // The root has the name of its executable's file, which is not what users call it.
        output.WriteLine($"'lavt {(command is RootCommand ? "" : command.Name + " ")}COMMAND --help' tells more about one of them.");
    }

    private static void WriteOwnOptions(TextWriter output, Command command)
    {
        Option[] own = [.. command.Options.Where(option => option is not HelpOption && (!HasFlags(command) || LavtFlags.Table.Find(option.Name) is null))];
        if (own.Length + command.Arguments.Count == 0)
            return;
        output.WriteLine();
        output.WriteLine(command.Arguments.Count > 0 ? "Arguments and flags" : "Flags");
        foreach (Argument argument in command.Arguments)
            WriteRow(output, argument.HelpName ?? argument.Name.ToUpperInvariant(), argument.Description!);
        foreach (Option option in own)
            WriteRow(output, $"{option.Name} {option.HelpName}", option.Description!);
    }

    private static void WriteFlags(TextWriter output)
    {
        var defaults = new LavtOptions();
        foreach (IGrouping<string, Flag<LavtOptions>> group in LavtFlags.Table.GroupBy(flag => flag.Group))
        {
            output.WriteLine();
            output.WriteLine(group.Key);
            foreach (Flag<LavtOptions> flag in group)
            {
                string names = string.Join(", ", flag.Aliases.Where(alias => !alias.StartsWith("--", StringComparison.Ordinal)).Append(flag.Name));
                string value = Convert.ToString(flag.Get(defaults), CultureInfo.InvariantCulture)!;
                bool hasDefault = !flag.IsSwitch && value.Length > 0;
                WriteRow(output, $"{names} {flag.Placeholder}", hasDefault ? $"{flag.Help} Default {value}." : flag.Help);
            }
        }
    }

    private static void WriteRow(TextWriter output, string left, string right)
    {
        // A name that is too long for its column gets a line of its own.
        output.WriteLine(left.Length < Column - 2 ? $"  {left.PadRight(Column - 2)}{right}" : $"  {left}\n{new string(' ', Column)}{right}");
    }
}
