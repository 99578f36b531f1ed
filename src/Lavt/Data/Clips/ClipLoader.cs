namespace Lavt.Data.Clips;

/// <summary>
/// Loads batches of clips ahead of their use on threads of its own. What a batch holds depends on the plan alone, not on the
/// number of threads.
/// </summary>
/// <example>
/// <code>
/// ClipLoader loader = new(dataset, batchSize: 4, threads: 4);
/// foreach (ClipBatch batch in loader.Read(ClipPlan.Training(dataset, seed, epoch), dropLast: true)) …
/// </code>
/// </example>
public sealed class ClipLoader
{
    private readonly IClipDataset _dataset;
    private readonly ClipBatch[] _ring;
    private readonly int _held;

    /// <summary>Takes memory for the batches.</summary>
    /// <param name="dataset">The samples.</param>
    /// <param name="batchSize">The number of clips in a batch.</param>
    /// <param name="threads">The number of loading threads (--workers); with 0 the reading thread loads each batch itself.</param>
    /// <param name="lookAhead">How many batches are loaded while others are in use, if there are threads.</param>
    /// <param name="held">How many batches are in use together: the last one read, and those before it.</param>
    public ClipLoader(IClipDataset dataset, int batchSize, int threads, int lookAhead = 2, int held = 1)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        ArgumentOutOfRangeException.ThrowIfLessThan(lookAhead, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(held, 1);
        _dataset = dataset;
        (BatchSize, Threads, _held) = (batchSize, threads, held);
        _ring = new ClipBatch[threads == 0 ? held : held + lookAhead];
        for (int i = 0; i < _ring.Length; i++) _ring[i] = new ClipBatch(batchSize, dataset.Shape);
    }

    /// <summary>The number of clips in a batch.</summary>
    public int BatchSize { get; }

    /// <summary>The number of loading threads.</summary>
    public int Threads { get; }

    /// <summary>
    /// Whether clips that cannot be loaded are marked (<see cref="ClipItem.Failure"/>) instead of ending the reading.
    /// </summary>
    public bool GoOnPastBroken { get; init; }

    /// <summary>The number of batches of a plan.</summary>
    /// <param name="items">The number of items of the plan.</param>
    /// <param name="dropLast">Whether a last batch that is not full is left out.</param>
    public int BatchCount(int items, bool dropLast) => dropLast ? items / BatchSize : (items + BatchSize - 1) / BatchSize;

    /// <summary>
    /// The batches of a plan in order. Each is valid until the next one is asked for, or as many more as are held. One reading at a time. The first item of
    /// the plan that cannot be loaded ends the reading with its own exception, unless <see cref="GoOnPastBroken"/> is set.
    /// </summary>
    /// <param name="plan">The items, see <see cref="ClipPlan"/>.</param>
    /// <param name="dropLast">Whether a last batch that is not full is left out.</param>
    /// <param name="firstBatch">The batch to begin with, to go on with an epoch that was interrupted.</param>
    /// <exception cref="DataException">A clip cannot be loaded; the message names sample and file.</exception>
    public IEnumerable<ClipBatch> Read(ClipChoice[] plan, bool dropLast, int firstBatch = 0)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
        return ReadBatches(plan, BatchCount(plan.Length, dropLast), firstBatch);
    }

    private IEnumerable<ClipBatch> ReadBatches(ClipChoice[] plan, int batches, int firstBatch)
    {
        using LoadingCrew<ClipBatch> crew = new(new Work(_dataset, plan, BatchSize, GoOnPastBroken), _ring, firstBatch, batches, Threads, _held);
        for (int batch = firstBatch; batch < batches; batch++) yield return crew.Take(batch);
    }

    private sealed class Work(IClipDataset dataset, ClipChoice[] plan, int batchSize, bool goOn) : ILoadingWork<ClipBatch>
    {
        public void Start(ClipBatch batch, int index) => batch.Start(index, ItemsOf(index));

        public IEnumerable<(int First, int Count)> Jobs(int index) => Enumerable.Range(0, ItemsOf(index).Length).Select(item => (item, 1));

        public Action<ClipBatch, int, int> NewHand()
        {
            ClipReader reader = new();
            return (batch, item, _) =>
            {
                ClipItem clip = batch[item];
                try
                {
                    dataset.Load(clip.Choice, reader, clip);
                }
                catch (DataException failure) when (goOn)
                {
                    clip.Failure = failure;
                }
            };
        }

        private ReadOnlySpan<ClipChoice> ItemsOf(int batch) => plan.AsSpan(batch * batchSize, Math.Min(batchSize, plan.Length - batch * batchSize));
    }
}
