using System.Numerics;

namespace Lavt.Nn.Parallel;

/// <summary>
/// Members of one process, one thread each. A sum is shared out: each member adds up its part of the numbers, reading it from
/// all members in the order of their numbers, and writes the result to all of them. That moves what a ring moves (every number
/// is read and written once per member), with two meetings instead of 2·(N − 1).
/// </summary>
public sealed class LocalGroup : IDisposable
{
    private readonly nint[] _addresses;
    private readonly byte[][] _gathered;
    private readonly Barrier _meeting;
    private readonly CancellationTokenSource _broken = new();
    private string _why = "";

    /// <summary>A group of <paramref name="size"/> members.</summary>
    public LocalGroup(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        Size = size;
        (_addresses, _gathered) = (new nint[size], new byte[size][]);
        _meeting = new Barrier(size);
    }

    /// <summary>The number of members.</summary>
    public int Size { get; }

    /// <summary>The communicator of a member.</summary>
    public ICommunicator Member(int rank)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, Size);
        return new LocalCommunicator(this, rank);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _meeting.Dispose();
        _broken.Dispose();
    }

    /// <summary>Returns when all members have called it.</summary>
    /// <exception cref="CommunicationException">A member failed.</exception>
    internal void Meet()
    {
        try
        {
            _meeting.SignalAndWait(_broken.Token);
        }
        catch (OperationCanceledException)
        {
            throw new CommunicationException(_why);
        }
    }

    private void Break(string why)
    {
        lock (_broken)
        {
            if (_broken.IsCancellationRequested) return;
            _why = why;
            _broken.Cancel();
        }
    }

    private sealed unsafe class LocalCommunicator(LocalGroup group, int rank) : ICommunicator
    {
        public int Rank => rank;

        public int Size => group.Size;

        public void Sum(float* values, long count) => Sum<float>((nint)values, count);

        public void Sum(double* values, long count) => Sum<double>((nint)values, count);

        public void Broadcast(void* bytes, long count, int root)
        {
            group._addresses[rank] = (nint)bytes;
            group.Meet();
            if (rank != root) Buffer.MemoryCopy((void*)group._addresses[root], bytes, count, count);
            group.Meet();
        }

        public byte[][] Gather(ReadOnlySpan<byte> bytes)
        {
            group._gathered[rank] = bytes.ToArray();
            group.Meet();
            byte[][] all = [.. group._gathered];
            group.Meet();
            return all;
        }

        public void Barrier() => group.Meet();

        public void Abort(string why) => group.Break(why);

        public void Dispose()
        {
        }

        private void Sum<T>(nint values, long count)
            where T : unmanaged, INumber<T>
        {
            group._addresses[rank] = values;
            group.Meet();
            // Parts begin at multiples of a cache line, so that no two members write to the same one.
            long part = (count + Size - 1) / Size;
            part = (part + 15) / 16 * 16;
            long first = Math.Min(count, rank * part), last = Math.Min(count, first + part);
            AddUp<T>(first, last);
            group.Meet();
        }

        private void AddUp<T>(long first, long last)
            where T : unmanaged, INumber<T>
        {
            ReadOnlySpan<nint> all = group._addresses;
            long i = first;
            for (; i <= last - Vector<T>.Count; i += Vector<T>.Count)
            {
                Vector<T> sum = Vector.Load((T*)all[0] + i);
                for (int k = 1; k < all.Length; k++) sum += Vector.Load((T*)all[k] + i);
                foreach (nint member in all) Vector.Store(sum, (T*)member + i);
            }
            for (; i < last; i++)
            {
                T sum = ((T*)all[0])[i];
                for (int k = 1; k < all.Length; k++) sum += ((T*)all[k])[i];
                foreach (nint member in all) ((T*)member)[i] = sum;
            }
        }
    }
}
