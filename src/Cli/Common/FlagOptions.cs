using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Parsing;
using Lavt.Options;

namespace Lavt.Cli;

/// <summary>The flags of <see cref="LavtFlags"/> as options of a command.</summary>
internal sealed class FlagOptions
{
    private readonly List<(Flag<LavtOptions> Flag, Option Option)> _options = [];

    /// <summary>Adds every flag to the command.</summary>
    public FlagOptions(Command command)
    {
        foreach (Flag<LavtOptions> flag in LavtFlags.Table)
        {
            Option option = ToOption(flag);
            _options.Add((flag, option));
            command.Add(option);
        }
    }

    /// <summary>The options that a command line says, settled and checked; flags without effect are noted.</summary>
    /// <exception cref="OptionException">A value is wrong, or options contradict each other.</exception>
    public LavtOptions Read(ParseResult result)
    {
        var options = new LavtOptions();
        ImmutableHashSet<string>.Builder given = ImmutableHashSet.CreateBuilder<string>();
        foreach ((Flag<LavtOptions> flag, Option option) in _options)
        {
            if (result.GetResult(option) is not OptionResult { Implicit: false } found)
                continue;
            // A flag that is given twice counts as it was given last, as argparse has it.
            options = flag.Apply(options, flag.IsSwitch ? "true" : found.Tokens[^1].Value);
            given.Add(flag.Name);
            if (flag.NoEffect is { } reason)
                Terminal.Note($"{flag.Name} has no effect: {reason}");
        }
        return (options with { Given = given.ToImmutable() }).Resolve();
    }

    private static Option ToOption(Flag<LavtOptions> flag)
    {
        string[] aliases = [.. flag.Aliases];
        return flag.IsSwitch
            ? new Option<bool>(flag.Name, aliases) { Description = flag.Help, Arity = ArgumentArity.Zero }
            : new Option<string[]>(flag.Name, aliases) { Description = flag.Help, Arity = ArgumentArity.OneOrMore, HelpName = flag.Placeholder };
    }
}
