namespace Lavt.Training;

/// <summary>Where a run stands: everything beside weights and moments that decides how it goes on.</summary>
public sealed record TrainingPosition
{
    /// <summary>The epoch that comes next or is under way, counted from 0.</summary>
    public int Epoch { get; init; }

    /// <summary>Batches of that epoch that are done.</summary>
    public int Batch { get; init; }

    /// <summary>Steps of the optimizer so far.</summary>
    public long Step { get; init; }

    /// <summary>The next stream of random numbers for dropout and drop path.</summary>
    public ulong NextRandom { get; init; }

    /// <summary>The best overall IoU on the validation split so far, in per cent; negative before the first.</summary>
    public double BestOverallIou { get; init; } = -1;
}
