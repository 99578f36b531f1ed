namespace Lavt.Data.Clips;

/// <summary>Samples that are clips with a sentence each. Loading is thread-safe: what it needs of memory comes with the call.</summary>
public interface IClipDataset
{
    /// <summary>What messages and reports call the data set and its split.</summary>
    string Name { get; }

    /// <summary>The number of samples.</summary>
    int Count { get; }

    /// <summary>What every clip has.</summary>
    ClipShape Shape { get; }

    /// <summary>How messages name a sample.</summary>
    string PlaceOf(int sample);

    /// <summary>Loads a clip.</summary>
    /// <param name="choice">The sample, and what decides everything about the clip that is random.</param>
    /// <param name="reader">The memory of the loading thread.</param>
    /// <param name="into">Gets the clip.</param>
    /// <exception cref="DataException">A file of the clip is missing or broken; the message names sample and file.</exception>
    void Load(ClipChoice choice, ClipReader reader, ClipItem into);
}

/// <summary>The sizes of the clips of a data set.</summary>
/// <param name="Frames">The number of frames T; a piece of a video may have fewer.</param>
/// <param name="Masks">The number of masks M: one for each frame, 1 where a single frame is annotated, or 0.</param>
/// <param name="Size">The side S in pixels to which frames and masks are squashed.</param>
/// <param name="Tokens">The length L of a row of word pieces.</param>
public readonly record struct ClipShape(int Frames, int Masks, int Size, int Tokens)
{
    /// <summary>The longest sentence in word pieces for clips, the two marks around it included.</summary>
    public const int MaxTokens = 22;

    /// <summary>The pixels of a mask.</summary>
    internal int Plane => Size * Size;

    /// <summary>The bytes of the frames of a clip.</summary>
    internal int FrameBytes => checked(Frames * Plane * 3);

    /// <summary>The bytes of the masks of a clip.</summary>
    internal int MaskBytes => checked(Masks * Plane);
}

/// <summary>An item of a plan.</summary>
/// <param name="Sample">The index of the sample in its data set.</param>
/// <param name="Draw">The random number that decides which frames are taken and how they are changed.</param>
public readonly record struct ClipChoice(int Sample, ulong Draw);

/// <summary>Makes plans for data sets of clips.</summary>
public static class ClipPlan
{
    /// <summary>What an epoch of training reads: every sample once, in an order and with random numbers that depend on seed and epoch alone.</summary>
    /// <param name="dataset">The samples.</param>
    /// <param name="seed">The seed of the run.</param>
    /// <param name="epoch">The epoch, from 0.</param>
    public static ClipChoice[] Training(IClipDataset dataset, ulong seed, int epoch)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        return [.. EpochPlan.Order(dataset.Count, seed, epoch).Select(sample => new ClipChoice(sample, EpochPlan.Draw(sample, seed, epoch)))];
    }

    /// <summary>Every sample in order, with the same random numbers each time.</summary>
    public static ClipChoice[] Evaluation(IClipDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        return [.. Enumerable.Range(0, dataset.Count).Select(sample => new ClipChoice(sample, EpochPlan.Draw(sample, 0, 0)))];
    }
}
