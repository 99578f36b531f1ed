using Lavt.Kernels;

namespace Lavt.Autograd;

/// <summary>
/// Says which part of a batch the operations on this thread compute, where devices share one or it is computed in pieces.
/// Dropout and drop path then draw the numbers of these samples, and batch norm finds its statistics over all devices, so that
/// the results are those of the whole batch on one device.
/// </summary>
/// <param name="FirstSample">The place of the first sample of this part in the whole batch.</param>
/// <param name="Samples">The number of samples of this part; the first axis of what operations get is a multiple of it.</param>
/// <param name="Sum">Sums over devices; null if there is one only.</param>
public sealed record BatchShare(long FirstSample, int Samples, IDeviceSum? Sum)
{
    [ThreadStatic]
    private static BatchShare? t_current;

    /// <summary>The share of this thread; null for the whole batch.</summary>
    public static BatchShare? Current
    {
        get => t_current;
        set => t_current = value;
    }

    /// <summary>The place that the first of <paramref name="count"/> numbers has among those of the whole batch.</summary>
    internal static long FirstOf(string operation, long count)
    {
        if (t_current is not { } share || share.FirstSample == 0) return 0;
        if (count % share.Samples != 0)
            throw new InvalidOperationException($"{operation}: {count} numbers are not those of {share.Samples} samples, which the thread's BatchShare speaks of");
        return share.FirstSample * (count / share.Samples);
    }
}
