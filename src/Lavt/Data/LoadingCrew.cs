using System.Runtime.ExceptionServices;
using Lavt.Kernels;

namespace Lavt.Data;

/// <summary>What a <see cref="LoadingCrew{TBatch}"/> loads.</summary>
/// <typeparam name="TBatch">The batches, which are filled again and again.</typeparam>
internal interface ILoadingWork<TBatch>
{
    /// <summary>Tells a batch which of all it is, before it is loaded.</summary>
    void Start(TBatch batch, int index);

    /// <summary>The jobs of a batch: the first item and the number of items of each.</summary>
    IEnumerable<(int First, int Count)> Jobs(int index);

    /// <summary>What runs a job on a batch, with memory of its own for one thread.</summary>
    Action<TBatch, int, int> NewHand();
}

/// <summary>
/// The threads behind one reading of batches. The jobs are taken in order; a job waits until the batch of its place in the
/// ring was given back.
/// </summary>
/// <typeparam name="TBatch">The batches, which are filled again and again.</typeparam>
internal sealed class LoadingCrew<TBatch> : IDisposable
{
    private readonly ILoadingWork<TBatch> _work;
    private readonly Slot[] _ring;
    private readonly int _firstBatch;
    private readonly int _batches;
    private readonly int _openAtOnce;
    private readonly List<Job> _jobs = [];
    private readonly List<int> _jobCounts = [];
    private readonly Thread[] _threads;
    private readonly object _gate = new();
    private readonly Action<TBatch, int, int> _ownHand;
    private int _nextJob;
    private int _open;
    private bool _stop;

    /// <summary>Begins to load.</summary>
    /// <param name="work">What to load.</param>
    /// <param name="ring">Memory of the batches.</param>
    /// <param name="firstBatch">The batch to begin with.</param>
    /// <param name="batches">The number of the last batch, plus one.</param>
    /// <param name="threads">Threads that load; 0: who takes a batch loads it.</param>
    /// <param name="held">How many batches are in use together: the last one taken, and those before it.</param>
    public LoadingCrew(ILoadingWork<TBatch> work, TBatch[] ring, int firstBatch, int batches, int threads, int held = 1)
    {
        _work = work;
        _openAtOnce = ring.Length - held + 1;
        (_firstBatch, _batches, _open) = (firstBatch, batches, firstBatch);
        _ring = [.. ring.Select(batch => new Slot(batch))];
        _ownHand = work.NewHand();
        for (int batch = firstBatch; batch < batches; batch++)
        {
            int before = _jobs.Count;
            _jobs.AddRange(work.Jobs(batch).Select(job => new Job(batch, job.First, job.Count)));
            _jobCounts.Add(_jobs.Count - before);
        }
        for (int i = 0; i < _openAtOnce; i++) OpenNext();
        _threads = new Thread[Math.Min(threads, _jobs.Count)];
        for (int i = 0; i < _threads.Length; i++)
        {
            _threads[i] = new Thread(Work) { IsBackground = true, Name = $"lavt loader {i}", Priority = ThreadPriority.BelowNormal };
            _threads[i].Start();
        }
    }

    /// <summary>The next batch, when it is complete; gives back the oldest that is held.</summary>
    public TBatch Take(int batch)
    {
        Slot slot = _ring[batch % _ring.Length];
        // The caller is done with the oldest batch, which stood in the place that opens now.
        if (_open - batch < _openAtOnce) OpenNext();
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

    /// <summary>Lets the jobs of one more batch begin.</summary>
    private void OpenNext()
    {
        lock (_gate)
        {
            int batch = _open++;
            if (batch >= _batches) return;
            Slot slot = _ring[batch % _ring.Length];
            _work.Start(slot.Batch, batch);
            slot.Pending = _jobCounts[batch - _firstBatch];
            slot.Failure = null;
            slot.FailedItem = int.MaxValue;
            Monitor.PulseAll(_gate);
        }
    }

    private void LoadHere(Slot slot)
    {
        while (slot.Pending > 0) Run(_jobs[_nextJob++], _ownHand);
    }

    private void Work()
    {
        using Workers alone = new(1);
        Workers.Use(alone);
        ThreadNice.Lower();
        Action<TBatch, int, int> hand = _work.NewHand();
        while (true)
        {
            int number = Interlocked.Increment(ref _nextJob) - 1;
            if (number >= _jobs.Count) return;
            lock (_gate)
            {
                while (!_stop && _jobs[number].Batch >= _open) Monitor.Wait(_gate);
                if (_stop) return;
            }
            Run(_jobs[number], hand);
        }
    }

    private void Run(Job job, Action<TBatch, int, int> hand)
    {
        Slot slot = _ring[job.Batch % _ring.Length];
        ExceptionDispatchInfo? failure = null;
        try
        {
            hand(slot.Batch, job.First, job.Count);
        }
        catch (Exception exception)
        {
            failure = ExceptionDispatchInfo.Capture(exception);
        }
        lock (_gate)
        {
            if (failure is not null && job.First < slot.FailedItem) (slot.Failure, slot.FailedItem) = (failure, job.First);
            slot.Pending--;
            if (slot.Pending == 0) Monitor.PulseAll(_gate);
        }
    }

    private readonly record struct Job(int Batch, int First, int Count);

    /// <summary>A place in the ring and the batch that is loaded there; everything but the batch's content is guarded by the gate.</summary>
    private sealed class Slot(TBatch batch)
    {
        public TBatch Batch { get; } = batch;

        /// <summary>The number of jobs that are not done.</summary>
        public int Pending { get; set; }

        public int FailedItem { get; set; }

        public ExceptionDispatchInfo? Failure { get; set; }
    }
}
