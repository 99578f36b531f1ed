namespace Lavt.Options;

/// <summary>A flag or its value is wrong. The message names the flag, says what was expected and what to do.</summary>
public sealed class OptionException : Exception
{
    /// <summary>An error about one flag.</summary>
    /// <param name="flag">The flag as the user writes it, for example <c>--swin_type</c>.</param>
    /// <param name="problem">What is wrong and what was expected; reads on after the flag and a colon.</param>
    public OptionException(string flag, string problem) : base($"{flag}: {problem}") => Flag = flag;

    /// <summary>The flag that the error is about.</summary>
    public string Flag { get; }
}
