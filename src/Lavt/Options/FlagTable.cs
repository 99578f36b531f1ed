using System.Collections;
using System.Globalization;

namespace Lavt.Options;

/// <summary>
/// The flags of an options record, declared once: command lines, help texts and the <c>args</c> of a checkpoint are all made from it.
/// </summary>
/// <typeparam name="T">The options record.</typeparam>
public sealed class FlagTable<T> : IEnumerable<Flag<T>>
{
    private readonly List<Flag<T>> _flags = [];
    private readonly Dictionary<string, Flag<T>> _byName = [];
    private string _group = "";

    /// <summary>The flag of a name or alias, or null.</summary>
    public Flag<T>? Find(string name) => _byName.GetValueOrDefault(name);

    /// <inheritdoc/>
    public IEnumerator<Flag<T>> GetEnumerator() => _flags.GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Puts the flags that follow under a heading of the help.</summary>
    public FlagTable<T> Group(string heading)
    {
        _group = heading;
        return this;
    }

    /// <summary>Declares a switch, which is true when given.</summary>
    public FlagTable<T> Switch(string names, string help, Func<T, bool> get, Func<T, bool, T> set) =>
        Add(names, null, help, options => get(options), (options, text) => set(options, ParseBoolean(text)));

    /// <summary>Declares a flag with a text value.</summary>
    public FlagTable<T> Text(string names, string placeholder, string help, Func<T, string?> get, Func<T, string, T> set) =>
        Add(names, placeholder, help, get, set);

    /// <summary>Declares a flag with a whole number of at least <paramref name="least"/>.</summary>
    public FlagTable<T> Integer(string names, string help, Func<T, int?> get, Func<T, int, T> set, int least = 1) =>
        Add(names, "N", help, options => (long?)get(options), (options, text) => set(options, ParseInteger(text, least)));

    /// <summary>Declares a flag with a finite number of at least 0; <paramref name="key"/> is its key in <c>args</c> where the name is not.</summary>
    public FlagTable<T> Number(string names, string help, Func<T, double?> get, Func<T, double, T> set, string? key = null) =>
        Add(names, "X", help, options => get(options), (options, text) => set(options, ParseNumber(text)), key);

    /// <summary>Declares a flag that is accepted, with or without a value, and changes nothing; the reason is told to whoever gives it.</summary>
    public FlagTable<T> Accept(string names, string? placeholder, string reason) =>
        Add(names, placeholder, "No effect: " + reason + ".", _ => null, (options, _) => options, noEffect: reason);

    /// <summary>Declares a switch of the published parser that this project does not have; giving it is an error with the reason.</summary>
    public FlagTable<T> Refuse(string names, string reason) =>
        Add(names, null, reason + ".", _ => null, (options, text) => ParseBoolean(text) ? throw new FormatException(reason) : options);

    /// <summary>Declares a flag with one of several words.</summary>
    public FlagTable<T> Choice<TChoice>(
        string names, string help, Func<T, TChoice> get, Func<T, TChoice, T> set, params (string Word, TChoice Value)[] choices)
        where TChoice : struct, Enum
    {
        // Plain loops: each query would be compiled anew for each of these types, at every start.
        string[] all = new string[choices.Length];
        for (int i = 0; i < all.Length; i++) all[i] = choices[i].Word;
        string words = string.Join('|', all);
        return Add(names, words, help,
            options => all[IndexOf(choices, get(options))],
            (options, text) =>
            {
                foreach ((string word, TChoice value) in choices)
                {
                    if (word == text)
                        return set(options, value);
                }
                throw new FormatException($"expected {words.Replace("|", ", ", StringComparison.Ordinal)}, got '{text}'");
            });
    }

    private static int IndexOf<TChoice>((string Word, TChoice Value)[] choices, TChoice value)
        where TChoice : struct, Enum
    {
        int i = 0;
        while (!choices[i].Value.Equals(value)) i++;
        return i;
    }

    /// <summary>Takes over all flags of a record that is a part of this one.</summary>
    public FlagTable<T> Include<TPart>(FlagTable<TPart> part, Func<T, TPart> get, Func<T, TPart, T> set)
    {
        foreach (Flag<TPart> flag in part)
        {
            Add(new Flag<T>(flag.Name, flag.Aliases, flag.Key, flag.Placeholder, flag.Help,
                options => flag.Get(get(options)),
                (options, text) => set(options, flag.Set(get(options), text)),
                flag.Group.Length > 0 ? flag.Group : _group, flag.NoEffect));
        }
        return this;
    }

    /// <summary>Reads flags that are separated by spaces, as <c>--flag value</c> or <c>--flag=value</c>.</summary>
    /// <exception cref="OptionException">A flag is unknown, lacks its value or has a wrong one.</exception>
    public T Parse(string commandLine, T options)
    {
        ArgumentNullException.ThrowIfNull(commandLine);
        string[] tokens = commandLine.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        for (int i = 0; i < tokens.Length; i++)
        {
            string[] parts = tokens[i].Split('=', 2);
            Flag<T> flag = Find(parts[0]) ?? throw new OptionException(parts[0], "no such flag");
            if (parts.Length == 2)
                options = flag.Apply(options, parts[1]);
            else if (flag.IsSwitch)
                options = flag.Apply(options, "true");
            else if (++i < tokens.Length)
                options = flag.Apply(options, tokens[i]);
            else
                throw new OptionException(flag.Name, $"needs a value: {flag.Placeholder}");
        }
        return options;
    }

    /// <summary>The values as a checkpoint's <c>args</c> stores them: bool, long, double or string under the flag's key.</summary>
    public IReadOnlyDictionary<string, object> ToArgs(T options)
    {
        var args = new Dictionary<string, object>();
        foreach (Flag<T> flag in _flags)
        {
            if (flag.Get(options) is { } value)
                args[flag.Key] = value;
        }
        return args;
    }

    /// <summary>Reads a checkpoint's <c>args</c>. Keys that are no flag of ours, and values that are null or empty, are passed over.</summary>
    /// <param name="args">The value under a key; null if there is none.</param>
    /// <param name="options">What <c>args</c> do not say.</param>
    /// <param name="given">The flags that a user gave, which count for more than <c>args</c>.</param>
    /// <exception cref="OptionException">A value has no meaning for its flag.</exception>
    public T FromArgs(Func<string, object?> args, T options, IReadOnlySet<string> given)
    {
        ArgumentNullException.ThrowIfNull(args);
        foreach (Flag<T> flag in _flags.Where(flag => flag.NoEffect is null && !given.Contains(flag.Name)))
        {
            if (Convert.ToString(args(flag.Key), CultureInfo.InvariantCulture) is { Length: > 0 } text)
                options = flag.Apply(options, text);
        }
        return options;
    }

    /// <summary>Adds a flag; its first name is the main one, and its key is that name with underscores and without leading dashes.</summary>
    private FlagTable<T> Add(
        string names, string? placeholder, string help, Func<T, object?> get, Func<T, string, T> set,
        string? key = null, string? noEffect = null)
    {
        string[] spellings = names.Split(' ');
        IEnumerable<string> aliases = spellings.Concat(spellings.Select(OtherSpelling)).Where(alias => alias != spellings[0]).Distinct();
        key ??= spellings[0].TrimStart('-').Replace('-', '_');
        return Add(new Flag<T>(spellings[0], [.. aliases], key, placeholder, help, get, set, _group, noEffect));
    }

    /// <summary>The published parser mixes dashes and underscores; whoever types the other one means the same flag.</summary>
    private static string OtherSpelling(string name)
    {
        string word = name.TrimStart('-');
        string other = word.Contains('_', StringComparison.Ordinal) ? word.Replace('_', '-') : word.Replace('-', '_');
        return name[..^word.Length] + other;
    }

    private FlagTable<T> Add(Flag<T> flag)
    {
        _flags.Add(flag);
        _byName.Add(flag.Name, flag);
        foreach (string alias in flag.Aliases)
            _byName.Add(alias, flag);
        return this;
    }

    private static bool ParseBoolean(string text) => text.ToLowerInvariant() switch
    {
        "true" or "1" or "" => true,
        "false" or "0" => false,
        _ => throw new FormatException($"is a switch and takes no value, got '{text}'"),
    };

    private static int ParseInteger(string text, int least)
    {
        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) || value < least)
            throw new FormatException($"expected a whole number of at least {least}, got '{text}'");
        return value;
    }

    private static double ParseNumber(string text)
    {
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) || !(value >= 0) || !double.IsFinite(value))
            throw new FormatException($"expected a number of at least 0, got '{text}'");
        return value;
    }
}
