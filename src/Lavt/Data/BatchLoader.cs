namespace Lavt.Data;

/// <summary>
/// Loads batches ahead of their use on threads of its own. What a batch holds depends on the plan alone, not on the number of
/// threads.
/// </summary>
/// <example>
/// <code>
/// BatchLoader loader = new(dataset, batchSize: 8, threads: 4);
/// foreach (Batch batch in loader.Read(dataset.TrainingPlan(seed, epoch), dropLast: true)) …
/// </code>
/// </example>
public sealed class BatchLoader
{
    private readonly ReferDataset _dataset;
    private readonly Batch[] _ring;
    private readonly int _held;

    /// <summary>Takes memory for the batches.</summary>
    /// <param name="dataset">The samples.</param>
    /// <param name="batchSize">The number of items in a batch.</param>
    /// <param name="threads">The number of loading threads (--workers); with 0 the reading thread loads each batch itself.</param>
    /// <param name="lookAhead">How many batches are loaded while others are in use, if there are threads.</param>
    /// <param name="held">How many batches are in use together: the last one read, and those before it.</param>
    public BatchLoader(ReferDataset dataset, int batchSize, int threads, int lookAhead = 2, int held = 1)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        ArgumentOutOfRangeException.ThrowIfLessThan(lookAhead, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(held, 1);
        _dataset = dataset;
        (BatchSize, Threads, _held) = (batchSize, threads, held);
        _ring = new Batch[threads == 0 ? held : held + lookAhead];
        for (int i = 0; i < _ring.Length; i++) _ring[i] = new Batch(batchSize, dataset.ImageSize, dataset.MaxTokens);
    }

    /// <summary>The number of items in a batch.</summary>
    public int BatchSize { get; }

    /// <summary>The number of loading threads.</summary>
    public int Threads { get; }

    /// <summary>The number of batches of a plan.</summary>
    /// <param name="items">The number of items of the plan.</param>
    /// <param name="dropLast">Whether a last batch that is not full is left out.</param>
    public int BatchCount(int items, bool dropLast) => dropLast ? items / BatchSize : (items + BatchSize - 1) / BatchSize;

    /// <summary>
    /// The batches of a plan in order. Each is valid until the next one is asked for, or as many more as are held. One reading at a time. The first item of
    /// the plan that cannot be loaded ends the reading with its own exception.
    /// </summary>
    /// <param name="plan">The items, such as <see cref="ReferDataset.TrainingPlan"/>.</param>
    /// <param name="dropLast">Whether a last batch that is not full is left out.</param>
    /// <param name="firstBatch">The batch to begin with, to go on with an epoch that was interrupted.</param>
    /// <exception cref="DataException">An item cannot be loaded; the message names sample and file.</exception>
    public IEnumerable<Batch> Read(SampleChoice[] plan, bool dropLast, int firstBatch = 0)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
        return ReadBatches(plan, BatchCount(plan.Length, dropLast), firstBatch);
    }

    private IEnumerable<Batch> ReadBatches(SampleChoice[] plan, int batches, int firstBatch)
    {
        using LoadingCrew<Batch> crew = new(new Work(_dataset, plan, BatchSize), _ring, firstBatch, batches, Threads, _held);
        for (int batch = firstBatch; batch < batches; batch++) yield return crew.Take(batch);
    }

    /// <summary>A job is the sentences of one sample within one batch, so that its picture is read once.</summary>
    private sealed class Work(ReferDataset dataset, SampleChoice[] plan, int batchSize) : ILoadingWork<Batch>
    {
        public void Start(Batch batch, int index) => batch.Start(index, ItemsOf(index));

        public IEnumerable<(int First, int Count)> Jobs(int index)
        {
            int count = ItemsOf(index).Length;
            for (int first = 0; first < count;)
            {
                int end = first + 1;
                while (end < count && ItemsOf(index)[end].Sample == ItemsOf(index)[first].Sample) end++;
                yield return (first, end - first);
                first = end;
            }
        }

        public Action<Batch, int, int> NewHand()
        {
            SampleReader reader = new();
            return (batch, first, count) => batch.Load(dataset, reader, first, count);
        }

        private ReadOnlySpan<SampleChoice> ItemsOf(int batch) => plan.AsSpan(batch * batchSize, Math.Min(batchSize, plan.Length - batch * batchSize));
    }
}
