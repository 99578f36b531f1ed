using System.Globalization;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>
/// The compiled forms of a product for GPUs of compute capability 9.0 (H100, H200): one per width of tiles and activation, each
/// compiled when it is first launched.
/// </summary>
internal sealed class HopperKernels
{
    /// <summary>Rows of C per block, a constant of GemmHopper.cuh.</summary>
    public const int TileRows = 128;

    /// <summary>The bytes of a row of a tile in shared memory.</summary>
    public const int RowBytes = 128;

    private const int Threads = 384;

    private static readonly int[] s_columns = [64, 128, 256];

    private readonly CudaKernel[] _kernels;

    /// <summary>A family of kernels.</summary>
    /// <param name="file">The source.</param>
    /// <param name="name">The function in it.</param>
    /// <param name="options">Options of the compiler that all have in common.</param>
    public HopperKernels(string file, string name, params string[] options) => _kernels =
    [
        .. from columns in s_columns
           from activation in Enum.GetValues<Activation>()
           select new CudaKernel(file, name, [.. options, string.Create(CultureInfo.InvariantCulture, $"-DTILE_COLUMNS={columns}"), $"-DFINAL_ACTIVATION={activation}"]),
    ];

    /// <summary>Whether a device has the instructions: they exist on this architecture alone.</summary>
    public static bool RunOn(CudaDevice device) => device.Capability == (9, 0);

    /// <summary>
    /// The columns of a tile for a product of so many rows of tiles and columns: those with which the slowest multiprocessor has least
    /// to do, of which 64 columns' worth per tile stand for its left operand and its end.
    /// </summary>
    public static int ColumnsOf(CudaDevice device, long rowsOfTiles, int n)
    {
        int processors = device.MultiprocessorCount;
        return s_columns.MinBy(columns => (rowsOfTiles * TilesAcross(n, columns) + processors - 1) / processors * (columns + 64));
    }

    /// <summary>Launches the kernel for a width of tiles and an activation, with as many blocks as there are multiprocessors.</summary>
    public void Launch(CudaStream stream, int columns, int activation, long rowsOfTiles, int n, params ReadOnlySpan<KernelArgument> arguments)
    {
        CudaKernel kernel = _kernels[Array.IndexOf(s_columns, columns) * Enum.GetValues<Activation>().Length + activation];
        long blocks = Math.Min(rowsOfTiles * TilesAcross(n, columns), stream.Device.MultiprocessorCount);
        kernel.Launch(stream, blocks, Threads, stream.Device.LargestSharedMemory, arguments);
    }

    private static int TilesAcross(int n, int columns) => (n + columns - 1) / columns;
}
