namespace Lavt.Nn.Weights;

/// <summary>A weight file is damaged, cut off, of another format, or holds something that cannot be read.</summary>
public sealed class WeightFileException : Exception
{
    /// <summary>An error in a file.</summary>
    /// <param name="file">The file's path.</param>
    /// <param name="problem">What is wrong and what to do.</param>
    /// <param name="cause">The error behind it, if there is one.</param>
    public WeightFileException(string file, string problem, Exception? cause = null)
        : base($"{file}: {problem}", cause) => File = file;

    /// <summary>The file's path.</summary>
    public string File { get; }
}
