namespace Lavt.Nn.Parallel;

/// <summary>A group of one: every sum is what was given.</summary>
public sealed unsafe class SingleCommunicator : ICommunicator
{
    /// <inheritdoc/>
    public int Rank => 0;

    /// <inheritdoc/>
    public int Size => 1;

    /// <inheritdoc/>
    public void Sum(float* values, long count)
    {
    }

    /// <inheritdoc/>
    public void Sum(double* values, long count)
    {
    }

    /// <inheritdoc/>
    public void Broadcast(void* bytes, long count, int root)
    {
    }

    /// <inheritdoc/>
    public byte[][] Gather(ReadOnlySpan<byte> bytes) => [bytes.ToArray()];

    /// <inheritdoc/>
    public void Barrier()
    {
    }

    /// <inheritdoc/>
    public void Abort(string why)
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
