namespace Lavt.Imaging;

/// <summary>A picture, mask or video file that cannot be read. The message names the file, what is wrong with it and what to do.</summary>
/// <param name="file">The file, as it was given.</param>
/// <param name="problem">What is wrong with the file.</param>
/// <param name="advice">What the user can do about it.</param>
/// <param name="inner">The failure behind this one, if there is one.</param>
public sealed class PictureException(string file, string problem, string advice, Exception? inner = null)
    : Exception($"{file}: {problem}; {advice}", inner)
{
    internal const string GetItAgain = "copy or download the file again";

    /// <summary>The file, as it was given.</summary>
    public string File { get; } = file;

    /// <summary>What is wrong with the file, without its name.</summary>
    public string Problem { get; } = problem;

    /// <summary>The error of a picture whose header promises more pixels than are read.</summary>
    internal static PictureException TooLarge(string file, long rows, long columns) =>
        new(file, $"{rows} x {columns} pixels are more than the {Picture.MaxPixels} that are read", "check that the file is what it should be");
}
