namespace Lavt.Demo;

/// <summary>What <see cref="DemoScenes"/> makes.</summary>
public sealed record DemoOptions
{
    /// <summary>The side of the square pictures in pixels, at least 48.</summary>
    public int PictureSize { get; init; } = 128;

    /// <summary>The number of pictures of the split train.</summary>
    public int TrainPictures { get; init; } = 600;

    /// <summary>The number of pictures of the split val.</summary>
    public int ValPictures { get; init; } = 60;

    /// <summary>The number of pictures of the split testA, which are like those of train.</summary>
    public int TestAPictures { get; init; } = 60;

    /// <summary>The number of pictures of the split testB, which all have four objects.</summary>
    public int TestBPictures { get; init; } = 60;

    /// <summary>The number of sentences of each object, at most; all of them mean that object alone.</summary>
    public int SentencesPerObject { get; init; } = 3;

    /// <summary>
    /// The share of pictures with two objects of the same colour, which only form, size or place tells apart, 0 … 1 (among the
    /// pictures of three objects and more).
    /// </summary>
    public double TwinShare { get; init; } = 0.3;

    /// <summary>Decides everything that is random.</summary>
    public ulong Seed { get; init; } = 1;
}
