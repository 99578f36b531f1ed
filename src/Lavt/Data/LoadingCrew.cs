using System.Runtime.ExceptionServices;
using Lavt.Kernels;

namespace Lavt.Data;

/// <summary>
/// The threads behind one reading of a <see cref="BatchLoader"/>. The work is cut into jobs, each the sentences of one sample
/// within one batch, and the jobs are taken in order; a job waits until the batch of its place in the ring was given back.
/// </summary>
internal sealed class LoadingCrew : IDisposable
{
    private readonly ReferDataset _dataset;
    private readonly Slot[] _ring;
    private readonly SampleChoice[] _plan;
    private readonly int _batchSize;
    private readonly int _batches;
    private readonly List<Job> _jobs = [];
    private readonly Thread[] _threads;
    private readonly object _gate = new();
    private readonly SampleReader _ownReader = new();
    private int _nextJob;
    private int _open;
    private bool _stop;

    public LoadingCrew(ReferDataset dataset, Batch[] ring, SampleChoice[] plan, int batchSize, int firstBatch, int batches, int threads)
    {
        _dataset = dataset;
        _plan = plan;
        (_batchSize, _batches, _open) = (batchSize, batches, firstBatch);
        _ring = [.. ring.Select(batch => new Slot(batch))];
        for (int batch = firstBatch; batch < batches; batch++) AddJobs(batch);
        for (int i = 0; i < _ring.Length; i++) OpenNext();
        _threads = new Thread[Math.Min(threads, _jobs.Count)];
        for (int i = 0; i < _threads.Length; i++)
        {
            _threads[i] = new Thread(Work) { IsBackground = true, Name = $"lavt loader {i}", Priority = ThreadPriority.BelowNormal };
            _threads[i].Start();
        }
    }

    /// <summary>The next batch, when it is complete; gives back the one before.</summary>
    public Batch Take(int batch)
    {
        Slot slot = _ring[batch % _ring.Length];
        // The caller is done with the batch before this one, which stood in the place that opens now.
        if (_open - batch < _ring.Length) OpenNext();
        if (_threads.Length == 0) LoadHere(slot);
        lock (_gate)
        {
            while (slot.Pending > 0) Monitor.Wait(_gate);
            slot.Failure?.Throw();
        }
        return slot.Batch;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _stop = true;
            Monitor.PulseAll(_gate);
        }
        foreach (Thread thread in _threads) thread.Join();
    }

    private ReadOnlySpan<SampleChoice> ItemsOf(int batch) =>
        _plan.AsSpan(batch * _batchSize, Math.Min(_batchSize, _plan.Length - batch * _batchSize));

    private void AddJobs(int batch)
    {
        ReadOnlySpan<SampleChoice> items = ItemsOf(batch);
        for (int first = 0; first < items.Length;)
        {
            int end = first + 1;
            while (end < items.Length && items[end].Sample == items[first].Sample) end++;
            _jobs.Add(new Job(batch, first, end - first));
            first = end;
        }
    }

    /// <summary>Lets the jobs of one more batch begin.</summary>
    private void OpenNext()
    {
        lock (_gate)
        {
            int batch = _open++;
            if (batch >= _batches) return;
            Slot slot = _ring[batch % _ring.Length];
            slot.Batch.Start(batch, ItemsOf(batch));
            slot.Pending = slot.Batch.Count;
            slot.Failure = null;
            slot.FailedItem = int.MaxValue;
            Monitor.PulseAll(_gate);
        }
    }

    private void LoadHere(Slot slot)
    {
        while (slot.Pending > 0) Run(_jobs[_nextJob++], _ownReader);
    }

    private void Work()
    {
        using Workers alone = new(1);
        Workers.Use(alone);
        ThreadNice.Lower();
        SampleReader reader = new();
        while (true)
        {
            int number = Interlocked.Increment(ref _nextJob) - 1;
            if (number >= _jobs.Count) return;
            lock (_gate)
            {
                while (!_stop && _jobs[number].Batch >= _open) Monitor.Wait(_gate);
                if (_stop) return;
            }
            Run(_jobs[number], reader);
        }
    }

    private void Run(Job job, SampleReader reader)
    {
        Slot slot = _ring[job.Batch % _ring.Length];
        ExceptionDispatchInfo? failure = null;
        try
        {
            slot.Batch.Load(_dataset, reader, job.First, job.Count);
        }
        catch (Exception exception)
        {
            failure = ExceptionDispatchInfo.Capture(exception);
        }
        lock (_gate)
        {
            if (failure is not null && job.First < slot.FailedItem) (slot.Failure, slot.FailedItem) = (failure, job.First);
            slot.Pending -= job.Count;
            if (slot.Pending == 0) Monitor.PulseAll(_gate);
        }
    }

    private readonly record struct Job(int Batch, int First, int Count);

    /// <summary>A place in the ring and the batch that is loaded there; everything but the batch's content is guarded by the gate.</summary>
    private sealed class Slot(Batch batch)
    {
        public Batch Batch { get; } = batch;

        public int Pending { get; set; }

        public int FailedItem { get; set; }

        public ExceptionDispatchInfo? Failure { get; set; }
    }
}
