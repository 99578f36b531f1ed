using System.Runtime.InteropServices;

namespace Lavt.Tensors;

/// <summary>
/// A caching allocator of 64-byte-aligned host memory. Freed blocks are kept by size class and handed out again, so that
/// a training loop or repeated inference asks the operating system for nothing once it has run a step.
/// </summary>
/// <remarks>
/// Sizes are rounded up to 1/8 of their power of two (at most 12.5 % waste), which lets blocks of nearly equal sizes serve
/// each other. Thread-safe.
/// </remarks>
public static unsafe class HostAllocator
{
    private const int Alignment = 64;
    private static readonly Lock Gate = new();
    private static readonly Dictionary<long, Stack<nint>> Free = [];
    private static long s_inUse;
    private static long s_peak;
    private static long s_cached;
    private static long s_systemAllocations;

    /// <summary>Bytes now in use.</summary>
    public static long BytesInUse => Interlocked.Read(ref s_inUse);

    /// <summary>The largest number of bytes in use at once since the last <see cref="ResetPeak"/>.</summary>
    public static long PeakBytes => Interlocked.Read(ref s_peak);

    /// <summary>Bytes kept for reuse.</summary>
    public static long BytesCached => Interlocked.Read(ref s_cached);

    /// <summary>How often memory was asked of the operating system; constant in steady state.</summary>
    public static long SystemAllocations => Interlocked.Read(ref s_systemAllocations);

    /// <summary>Starts a new measurement of <see cref="PeakBytes"/>.</summary>
    public static void ResetPeak()
    {
        lock (Gate) s_peak = s_inUse;
    }

    /// <summary>Returns a block of at least <paramref name="bytes"/> bytes, not cleared.</summary>
    /// <exception cref="OutOfMemoryException">The system has no such block left.</exception>
    public static nint Allocate(long bytes)
    {
        long size = SizeClass(bytes);
        lock (Gate)
        {
            s_inUse += size;
            s_peak = Math.Max(s_peak, s_inUse);
            if (Free.TryGetValue(size, out Stack<nint>? blocks) && blocks.TryPop(out nint block))
            {
                s_cached -= size;
                return block;
            }
            s_systemAllocations++;
        }
        try
        {
            return (nint)NativeMemory.AlignedAlloc((nuint)size, Alignment);
        }
        catch (OutOfMemoryException)
        {
            Trim();
            return (nint)NativeMemory.AlignedAlloc((nuint)size, Alignment);
        }
    }

    /// <summary>Gives a block back; <paramref name="bytes"/> is what was asked for.</summary>
    public static void Release(nint block, long bytes)
    {
        long size = SizeClass(bytes);
        lock (Gate)
        {
            s_inUse -= size;
            s_cached += size;
            if (!Free.TryGetValue(size, out Stack<nint>? blocks))
                Free[size] = blocks = new Stack<nint>();
            blocks.Push(block);
        }
    }

    /// <summary>Returns all cached blocks to the operating system.</summary>
    public static void Trim()
    {
        lock (Gate)
        {
            foreach (Stack<nint> blocks in Free.Values)
                while (blocks.TryPop(out nint block)) NativeMemory.AlignedFree((void*)block);
            s_cached = 0;
        }
    }

    /// <summary>The size of the block that serves a request of <paramref name="bytes"/> bytes.</summary>
    internal static long SizeClass(long bytes)
    {
        if (bytes <= 512) return 512;
        long step = Math.Max(64, (long)(System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)bytes) >> 4));
        return (bytes + step - 1) / step * step;
    }
}
