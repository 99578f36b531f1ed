using System.Runtime.InteropServices;

namespace Lavt.Tensors;

/// <summary>
/// An allocator of 64-byte-aligned host memory. It gets large regions from the operating system and hands out parts of them;
/// parts that are given back join with free neighbours and serve requests of any size. A training loop or repeated inference
/// asks the system for nothing once it has run a step, and holds little more than it has ever used at once.
/// </summary>
/// <remarks>Thread-safe.</remarks>
public static unsafe class HostAllocator
{
    private const int Alignment = 64;

    /// <summary>Pages that nobody has touched cost nothing, so regions may be larger than what is asked for.</summary>
    private const long SmallestRegion = 128 << 20;

    private static readonly Lock Gate = new();
    private static readonly List<MemoryRegion> Regions = [];
    private static long s_inUse;
    private static long s_peak;
    private static long s_systemAllocations;

    /// <summary>Bytes now in use.</summary>
    public static long BytesInUse => Interlocked.Read(ref s_inUse);

    /// <summary>The largest number of bytes in use at once since the last <see cref="ResetPeak"/>.</summary>
    public static long PeakBytes => Interlocked.Read(ref s_peak);

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
        nint size = Rounded(bytes);
        lock (Gate)
        {
            nint block = 0;
            // The oldest first: what was used once costs nothing more, and the last region stays untouched as far as possible.
            for (int i = 0; block == 0 && i < Regions.Count; i++) block = Regions[i].Take(size);
            if (block == 0) block = AddRegion(size).Take(size);
            s_inUse += size;
            s_peak = Math.Max(s_peak, s_inUse);
            return block;
        }
    }

    /// <summary>Gives a block back; <paramref name="bytes"/> is what was asked for.</summary>
    public static void Release(nint block, long bytes)
    {
        nint size = Rounded(bytes);
        lock (Gate)
        {
            s_inUse -= size;
            foreach (MemoryRegion region in Regions)
            {
                if (!region.Holds(block)) continue;
                region.Give(block, size);
                return;
            }
        }
    }

    /// <summary>Returns the regions of which nothing is in use to the operating system.</summary>
    public static void Trim()
    {
        lock (Gate)
        {
            foreach (MemoryRegion region in Regions)
                if (region.IsFree) NativeMemory.AlignedFree((void*)region.Address);
            Regions.RemoveAll(region => region.IsFree);
        }
    }

    private static void* AllocateOrExplain(nint size)
    {
        try
        {
            return NativeMemory.AlignedAlloc((nuint)size, Alignment);
        }
        catch (OutOfMemoryException)
        {
            throw new OutOfMemoryException($"the system has no {size >> 20} MiB of memory at a piece; {s_inUse >> 20} MiB are in use. Smaller pictures, batches or windows need less");
        }
    }

    private static nint Rounded(long bytes) => (nint)((Math.Max(1, bytes) + Alignment - 1) / Alignment * Alignment);

    private static MemoryRegion AddRegion(nint wanted)
    {
        long held = 0;
        foreach (MemoryRegion other in Regions) held += other.Size;
        nint size = (nint)Math.Max(wanted, Rounded(Math.Max(SmallestRegion, held / 2)));
        void* memory;
        try
        {
            memory = NativeMemory.AlignedAlloc((nuint)size, Alignment);
        }
        catch (OutOfMemoryException)
        {
            Trim();
            size = wanted;
            memory = AllocateOrExplain(size);
        }
        s_systemAllocations++;
        MemoryRegion region = new((nint)memory, size);
        Regions.Add(region);
        return region;
    }
}
