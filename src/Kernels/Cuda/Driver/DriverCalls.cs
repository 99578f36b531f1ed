namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// What the calling thread asked of the driver: work that repeats should launch graphs, allocate nothing, and never wait. The
/// difference of two readings is what lies between them.
/// </summary>
/// <param name="Launches">Kernels launched; those of a graph count when they are captured, not when the graph is launched.</param>
/// <param name="Graphs">Graphs launched.</param>
/// <param name="Allocations">Blocks of device or pinned memory that were asked for.</param>
/// <param name="Waits">Times that the host waited for a device.</param>
public readonly record struct DriverCalls(long Launches, long Graphs, long Allocations, long Waits)
{
    [ThreadStatic]
    private static long t_launches, t_graphs, t_allocations, t_waits;

    /// <summary>The calls of this thread since it began.</summary>
    public static DriverCalls OfThisThread => new(t_launches, t_graphs, t_allocations, t_waits);

    /// <summary>The calls between two readings.</summary>
    public static DriverCalls operator -(DriverCalls end, DriverCalls start) =>
        new(end.Launches - start.Launches, end.Graphs - start.Graphs, end.Allocations - start.Allocations, end.Waits - start.Waits);

    internal static void CountLaunch() => t_launches++;

    internal static void CountGraph() => t_graphs++;

    internal static void CountAllocation() => t_allocations++;

    internal static void CountWait() => t_waits++;
}
