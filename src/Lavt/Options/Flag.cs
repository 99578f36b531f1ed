namespace Lavt.Options;

/// <summary>One flag of the command line and its place in an options record.</summary>
/// <typeparam name="T">The options record.</typeparam>
/// <param name="Name">As users write it: <c>--batch-size</c>.</param>
/// <param name="Aliases">Other spellings: <c>-b</c>, <c>--batch_size</c>.</param>
/// <param name="Key">Its name in a checkpoint's <c>args</c>: <c>batch_size</c>.</param>
/// <param name="Placeholder">What its value is, for the help; null for a switch that takes none.</param>
/// <param name="Help">One sentence for the help.</param>
/// <param name="Get">The value in an options record as <c>args</c> stores it: bool, long, double, string, or null where unset.</param>
/// <param name="Set">The options record with the value read from text; throws <see cref="FormatException"/> on wrong text.</param>
/// <param name="Group">The heading that the help lists it under.</param>
/// <param name="NoEffect">Why the flag is accepted although it changes nothing; null for a flag that has an effect.</param>
public sealed record Flag<T>(
    string Name,
    IReadOnlyList<string> Aliases,
    string Key,
    string? Placeholder,
    string Help,
    Func<T, object?> Get,
    Func<T, string, T> Set,
    string Group,
    string? NoEffect = null)
{
    /// <summary>Whether the flag is a switch, which takes no value.</summary>
    public bool IsSwitch => Placeholder is null;

    /// <summary>The options record with this flag's value read from text.</summary>
    /// <exception cref="OptionException">The text is no value of this flag.</exception>
    public T Apply(T options, string text)
    {
        try
        {
            return Set(options, text);
        }
        catch (FormatException wrong)
        {
            throw new OptionException(Name, wrong.Message);
        }
    }
}
