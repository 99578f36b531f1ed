namespace Lavt.Nn.Weights;

/// <summary>A pickle is damaged, cut off, too large, or names something that the reader does not allow.</summary>
public sealed class PickleException : Exception
{
    /// <summary>An error at a byte of a file.</summary>
    /// <param name="name">The file's name.</param>
    /// <param name="offset">The byte, counted from the pickle's start.</param>
    /// <param name="problem">What is wrong and what to do.</param>
    public PickleException(string name, long offset, string problem)
        : base($"{name}: {problem} (byte {offset} of the pickle)")
    {
        Name = name;
        Offset = offset;
        Problem = problem;
    }

    /// <summary>The file's name.</summary>
    public string Name { get; }

    /// <summary>Where in the pickle the error is, in bytes from its start.</summary>
    public long Offset { get; }

    /// <summary>The message without file and offset.</summary>
    public string Problem { get; }

    /// <summary>True if the pickle might be whole in a longer piece of the file.</summary>
    public bool IsTruncation { get; init; }
}
