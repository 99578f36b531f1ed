namespace Lavt.Data;

/// <summary>Loads batches of pictures with their sentences and masks.</summary>
/// <param name="dataset">The samples.</param>
/// <param name="batchSize">The number of items in a batch.</param>
/// <param name="threads">The number of loading threads (--workers); with 0 the reading thread loads each batch itself.</param>
/// <param name="lookAhead">How many batches are loaded while others are in use, if there are threads.</param>
/// <param name="held">How many batches are in use together: the last one read, and those before it.</param>
/// <example>
/// <code>
/// BatchLoader loader = new(dataset, batchSize: 8, threads: 4);
/// foreach (Batch batch in loader.Read(dataset.TrainingPlan(seed, epoch), dropLast: true)) …
/// </code>
/// </example>
public sealed class BatchLoader(ReferDataset dataset, int batchSize, int threads, int lookAhead = 2, int held = 1)
    : Loader<SampleChoice, Batch>(batchSize, threads, lookAhead, held, size => new Batch(size, dataset.ImageSize, dataset.MaxTokens))
{
    private protected override void Start(Batch batch, int index, ArraySegment<SampleChoice> items) => batch.Start(index, items);

    /// <summary>A job is the sentences of one sample within one batch, so that its picture is read once.</summary>
    private protected override IEnumerable<(int First, int Count)> Jobs(ArraySegment<SampleChoice> items)
    {
        for (int first = 0; first < items.Count;)
        {
            int end = first + 1;
            while (end < items.Count && items[end].Sample == items[first].Sample) end++;
            yield return (first, end - first);
            first = end;
        }
    }

    private protected override Action<Batch, int, int> NewHand()
    {
        SampleReader reader = new();
        return (batch, first, count) => batch.Load(dataset, reader, first, count);
    }
}
