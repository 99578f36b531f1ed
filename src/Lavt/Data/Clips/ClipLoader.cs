namespace Lavt.Data.Clips;

/// <summary>Loads batches of clips.</summary>
/// <param name="dataset">The samples.</param>
/// <param name="batchSize">The number of clips in a batch.</param>
/// <param name="threads">The number of loading threads (--workers); with 0 the reading thread loads each batch itself.</param>
/// <param name="held">How many batches are in use together: the last one read, and those before it.</param>
/// <example>
/// <code>
/// ClipLoader loader = new(dataset, batchSize: 4, threads: 4);
/// foreach (ClipBatch batch in loader.Read(ClipPlan.Training(dataset, seed, epoch), dropLast: true)) …
/// </code>
/// </example>
public sealed class ClipLoader(IClipDataset dataset, int batchSize, int threads, int held = 1)
    : Loader<ClipChoice, ClipBatch>(batchSize, threads, lookAhead: 2, held, size => new ClipBatch(size, dataset.Shape))
{
    /// <summary>
    /// Whether clips that cannot be loaded are marked (<see cref="ClipItem.Failure"/>) instead of ending the reading.
    /// </summary>
    public bool GoOnPastBroken { get; init; }

    private protected override void Start(ClipBatch batch, int index, ArraySegment<ClipChoice> items) => batch.Start(index, items);

    private protected override IEnumerable<(int First, int Count)> Jobs(ArraySegment<ClipChoice> items) =>
        Enumerable.Range(0, items.Count).Select(item => (item, 1));

    private protected override Action<ClipBatch, int, int> NewHand()
    {
        ClipReader reader = new();
        return (batch, item, _) =>
        {
            ClipItem clip = batch[item];
            try
            {
                dataset.Load(clip.Choice, reader, clip);
            }
            catch (DataException failure) when (GoOnPastBroken)
            {
                clip.Failure = failure;
            }
        };
    }
}
