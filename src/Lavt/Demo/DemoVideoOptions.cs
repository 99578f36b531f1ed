namespace Lavt.Demo;

/// <summary>What <see cref="DemoVideos"/> makes.</summary>
public sealed record DemoVideoOptions
{
    /// <summary>The side of the square frames in pixels, at least 48.</summary>
    public int PictureSize { get; init; } = 64;

    /// <summary>The number of frames of a video, at least 2.</summary>
    public int Frames { get; init; } = 6;

    /// <summary>The number of videos of the split train.</summary>
    public int TrainVideos { get; init; } = 1200;

    /// <summary>The number of videos of the split valid.</summary>
    public int ValidVideos { get; init; } = 50;

    /// <summary>The number of videos of the split test, which valid's file of sentences lists as well, as the real one does.</summary>
    public int TestVideos { get; init; } = 10;

    /// <summary>The share of training videos with two objects that look alike, which only their motion tells apart, 0 … 1; in valid it is all.</summary>
    public double TwinShare { get; init; } = 0.85;

    /// <summary>Whether the same scenes are also written in the layout of A2D-Sentences, which needs libhdf5.</summary>
    public bool WithA2d { get; init; } = true;

    /// <summary>Decides everything that is random.</summary>
    public ulong Seed { get; init; } = 1;
}
