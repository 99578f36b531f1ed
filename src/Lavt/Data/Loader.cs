namespace Lavt.Data;

/// <summary>
/// Loads batches ahead of their use on threads of its own. What a batch holds depends on the plan alone, not on the number of
/// threads.
/// </summary>
/// <typeparam name="TChoice">What a plan consists of.</typeparam>
/// <typeparam name="TBatch">The batches, which are filled again and again.</typeparam>
public abstract class Loader<TChoice, TBatch>
{
    private readonly TBatch[] _ring;
    private readonly int _held;

    /// <summary>Takes memory for the batches.</summary>
    /// <param name="batchSize">The number of items in a batch.</param>
    /// <param name="threads">The number of loading threads (--workers); with 0 the reading thread loads each batch itself.</param>
    /// <param name="lookAhead">How many batches are loaded while others are in use, if there are threads.</param>
    /// <param name="held">How many batches are in use together: the last one read, and those before it.</param>
    /// <param name="newBatch">Makes a batch for so many items.</param>
    private protected Loader(int batchSize, int threads, int lookAhead, int held, Func<int, TBatch> newBatch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        ArgumentOutOfRangeException.ThrowIfLessThan(lookAhead, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(held, 1);
        (BatchSize, Threads, _held) = (batchSize, threads, held);
        _ring = new TBatch[threads == 0 ? held : held + lookAhead];
        for (int i = 0; i < _ring.Length; i++) _ring[i] = newBatch(batchSize);
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
    /// The batches of a plan in order. Each is valid until the next one is asked for, or as many more as are held. One reading at
    /// a time. The first item of the plan that cannot be loaded ends the reading with its own exception.
    /// </summary>
    /// <param name="plan">The items.</param>
    /// <param name="dropLast">Whether a last batch that is not full is left out.</param>
    /// <param name="firstBatch">The batch to begin with, to go on with an epoch that was interrupted.</param>
    /// <exception cref="DataException">An item cannot be loaded; the message names sample and file.</exception>
    public IEnumerable<TBatch> Read(TChoice[] plan, bool dropLast, int firstBatch = 0)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
        return ReadBatches(plan, BatchCount(plan.Length, dropLast), firstBatch);
    }

    /// <summary>Tells a batch which of all it is and what it will hold, before it is loaded.</summary>
    private protected abstract void Start(TBatch batch, int index, ArraySegment<TChoice> items);

    /// <summary>The jobs of a batch, each loaded by one thread: the first item and the number of items.</summary>
    private protected abstract IEnumerable<(int First, int Count)> Jobs(ArraySegment<TChoice> items);

    /// <summary>What runs a job on a batch, with memory of its own for one thread.</summary>
    private protected abstract Action<TBatch, int, int> NewHand();

    private IEnumerable<TBatch> ReadBatches(TChoice[] plan, int batches, int firstBatch)
    {
        using LoadingCrew<TBatch> crew = new(new Work(this, plan), _ring, firstBatch, batches, Threads, _held);
        for (int batch = firstBatch; batch < batches; batch++) yield return crew.Take(batch);
    }

    private sealed class Work(Loader<TChoice, TBatch> loader, TChoice[] plan) : ILoadingWork<TBatch>
    {
        public void Start(TBatch batch, int index) => loader.Start(batch, index, ItemsOf(index));

        public IEnumerable<(int First, int Count)> Jobs(int index) => loader.Jobs(ItemsOf(index));

        public Action<TBatch, int, int> NewHand() => loader.NewHand();

        private ArraySegment<TChoice> ItemsOf(int index)
        {
            int first = index * loader.BatchSize;
            return new ArraySegment<TChoice>(plan, first, Math.Min(loader.BatchSize, plan.Length - first));
        }
    }
}
