namespace Lavt.Data;

/// <summary>Something that is wrong in a data set, and where.</summary>
/// <param name="File">The file.</param>
/// <param name="Place">Where in it or for whom: ids, a line; empty for the file as a whole.</param>
/// <param name="Text">What is wrong.</param>
/// <param name="IsWarning">True if training and evaluation can go on in spite of it.</param>
public sealed record DataProblem(string File, string Place, string Text, bool IsWarning = false)
{
    /// <inheritdoc/>
    public override string ToString() => $"{(IsWarning ? "warning: " : "")}{File}: {(Place.Length > 0 ? $"{Place}: " : "")}{Text}";
}

/// <summary>A data set that cannot be used as it is. The message names the file, the place, what is wrong and what to do.</summary>
/// <param name="problem">What is wrong.</param>
/// <param name="advice">What the user can do about it.</param>
/// <param name="inner">The failure behind this one, if there is one.</param>
public sealed class DataException(DataProblem problem, string advice, Exception? inner = null)
    : Exception($"{problem}; {advice}", inner)
{
    internal const string VerifyAdvice = "restore the file, or list everything that is wrong with: lavt data verify";

    /// <summary>What is wrong, without the advice.</summary>
    public DataProblem Problem { get; } = problem;
}
