using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Attention within shifted windows of a map, with the position bias; see <see cref="Cpu.WindowAttention"/>.</summary>
public static unsafe class WindowAttention
{
    private const int WarpSize = 32, MostThreads = 256, LargestHead = 64, BlocksForTable = 1024, QueriesPerWarp = 16, MostTensorWarps = 9;

    /// <summary>The channels of a head that the kernels on the matrix units take.</summary>
    public const int RoundedHead = 32;

    /// <summary>Static shared memory of the kernels: two times 64 rows of a head, and what is known of their tokens.</summary>
    private const int Rows = 64, BytesPerRow = 6 * sizeof(int);

    private const string TensorFile = "WindowAttentionTensor.cu";

    private static readonly CudaKernel[] s_forward = PerHead("WindowAttention.cu", "window_attention_forward");
    private static readonly CudaKernel[] s_backwardQueries = PerHead("WindowAttentionBackward.cu", "window_attention_backward_queries");
    private static readonly CudaKernel[] s_backwardKeys = PerHead("WindowAttentionBackward.cu", "window_attention_backward_keys");

    // Each for numbers in float32 and for those that are rounded already.
    private static readonly CudaKernel[] s_forwardBf16 = [new(TensorFile, "window_attention_forward_bf16"), new(TensorFile, "window_attention_forward_bf16", "-DSTORED=bf16")];
    private static readonly CudaKernel[] s_forwardF16 = [new(TensorFile, "window_attention_forward_f16"), new(TensorFile, "window_attention_forward_f16", "-DSTORED=f16")];

    /// <inheritdoc cref="Cpu.WindowAttention.Forward"/>
    /// <remarks>Rounded to bfloat16 or float16, heads of 32 channels are computed on the matrix units; all else is float32.</remarks>
    public static void Forward(CudaStream stream, float* qkv, float* qkvBias, float* biasTable, float* y, int batch, int heads, int headDim, Volume map, Volume window, Volume shift, Volume tableWindow, ProductPrecision precision = ProductPrecision.Float32)
    {
        Geometry geometry = new(heads, headDim, map, window, shift, tableWindow);
        if (headDim == RoundedHead && precision is ProductPrecision.BFloat16 or ProductPrecision.Float16)
        {
            ForwardOnMatrixUnits(stream, qkv, qkvBias, biasTable, y, batch, heads, geometry, precision, isRounded: false);
            return;
        }
        (int parts, int threads) = Share(geometry.Size, MostThreads);
        s_forward[KernelFor(headDim)].Launch(stream, new Grid((long)batch * geometry.Windows, heads, parts), threads, geometry.TableBytes, qkv, qkvBias, biasTable, y, KernelArgument.ByValue(&geometry));
    }

    /// <summary>The same for heads of <see cref="RoundedHead"/> channels with qkv and y in the 16-bit type of a precision.</summary>
    public static void ForwardRounded(CudaStream stream, void* qkv, float* qkvBias, float* biasTable, void* y, int batch, int heads, Volume map, Volume window, Volume shift, Volume tableWindow, ProductPrecision precision) =>
        ForwardOnMatrixUnits(stream, qkv, qkvBias, biasTable, y, batch, heads, new(heads, RoundedHead, map, window, shift, tableWindow), precision, isRounded: true);

    private static void ForwardOnMatrixUnits(CudaStream stream, void* qkv, float* qkvBias, float* biasTable, void* y, int batch, int heads, Geometry geometry, ProductPrecision precision, bool isRounded)
    {
        int allWarps = (geometry.Size + QueriesPerWarp - 1) / QueriesPerWarp, blocks = (allWarps + MostTensorWarps - 1) / MostTensorWarps, warps = (allWarps + blocks - 1) / blocks;
        CudaKernel[] kernels = precision == ProductPrecision.Float16 ? s_forwardF16 : s_forwardBf16;
        kernels[isRounded ? 1 : 0].Launch(stream, new Grid((long)batch * geometry.Windows, heads, blocks), warps * WarpSize, geometry.TableBytes, qkv, qkvBias, biasTable, y, KernelArgument.ByValue(&geometry));
    }

    /// <inheritdoc cref="Cpu.WindowAttention.Backward"/>
    /// <remarks>Gradients of the biases and of the table are overwritten.</remarks>
    public static void Backward(CudaStream stream, float* qkv, float* qkvBias, float* biasTable, float* dy, float* dQkv, float* dQkvBias, float* dBiasTable, int batch, int heads, int headDim, Volume map, Volume window, Volume shift, Volume tableWindow)
    {
        Geometry geometry = new(heads, headDim, map, window, shift, tableWindow);
        long windows = (long)batch * geometry.Windows;
        int channels = heads * headDim;
        using CudaScratch statistics = new(stream, 2 * windows * heads * geometry.Size * sizeof(float));

        int windowsPerChunk = (int)Math.Max(1, windows * heads / BlocksForTable), chunks = (int)((windows + windowsPerChunk - 1) / windowsPerChunk);
        using CudaScratch tablePartials = new(stream, (long)chunks * geometry.TableRows * heads * sizeof(float));
        int warps = WarpsForTable(stream.Device, geometry);
        s_backwardQueries[KernelFor(headDim)].Launch(stream, new Grid(chunks, heads), warps * WarpSize, (1 + warps) * geometry.TableBytes,
            qkv, qkvBias, biasTable, dy, dQkv, statistics.Address, tablePartials.Address, windows, windowsPerChunk, KernelArgument.ByValue(&geometry));
        ColumnSum.AddChunks(stream, (float*)tablePartials.Address, chunks, geometry.TableRows * heads, dBiasTable);

        (int parts, int threads) = Share(geometry.Size, MostThreads);
        using CudaScratch paddingPartials = new(stream, windows * parts * 2 * channels * sizeof(float));
        s_backwardKeys[KernelFor(headDim)].Launch(stream, new Grid(windows, heads, parts), threads, geometry.TableBytes,
            qkv, qkvBias, biasTable, dy, statistics.Address, dQkv, paddingPartials.Address, windows, KernelArgument.ByValue(&geometry));
        // Queries of padding are not asked for.
        stream.Device.Memory.Clear((nint)dQkvBias, (long)channels * sizeof(float));
        ColumnSum.Run(stream, (float*)paddingPartials.Address, windows * parts, 2 * channels, dQkvBias + channels);
    }

    /// <summary>How the tokens of a window are shared out to blocks: as evenly as whole warps allow.</summary>
    private static (int Parts, int Threads) Share(int size, int mostThreads)
    {
        int parts = (size + mostThreads - 1) / mostThreads, tokens = (size + parts - 1) / parts;
        return (parts, (tokens + WarpSize - 1) / WarpSize * WarpSize);
    }

    /// <summary>As many warps as a window keeps busy and as there is shared memory for, each with its own gradient of the table.</summary>
    private static int WarpsForTable(CudaDevice device, in Geometry geometry)
    {
        int fixedBytes = 2 * Rows * (LargestHead + 4) * sizeof(float) + Rows * BytesPerRow + geometry.TableBytes;
        int room = (device.LargestSharedMemory - fixedBytes) / geometry.TableBytes;
        return Math.Clamp(room, 1, Share(geometry.Size, MostThreads).Threads / WarpSize);
    }

    private static int KernelFor(int headDim)
    {
        if (headDim > LargestHead) throw new NotSupportedException($"window attention on a GPU takes heads of at most {LargestHead} channels, got {headDim}; use more heads");
        return (headDim + 3) / 4 - 1;
    }

    private static CudaKernel[] PerHead(string file, string name) =>
        [.. Enumerable.Range(1, LargestHead / 4).Select(quarter => new CudaKernel(file, name, $"-DHEAD_DIM={4 * quarter}"))];

    /// <summary>As WindowAttention.cuh declares it.</summary>
    private readonly struct Geometry(int heads, int headDim, Volume map, Volume window, Volume shift, Volume table)
    {
        private readonly Volume _map = map;
        private readonly Volume _window = window;
        private readonly Volume _shift = shift;
        private readonly Volume _across = new(Cover(map.Frames, window.Frames), Cover(map.Height, window.Height), Cover(map.Width, window.Width));
        private readonly Volume _table = table;
        private readonly int _heads = heads;
        private readonly int _headDim = headDim;
        private readonly int _tokens = map.Count;
        private readonly int _size = window.Count;
        private readonly int _tableRows = (2 * table.Frames - 1) * (2 * table.Height - 1) * (2 * table.Width - 1);
        private readonly float _scale = (float)(1 / Math.Sqrt(headDim));

        /// <summary>Windows of a map.</summary>
        public int Windows => _across.Count;

        /// <summary>Tokens of a window.</summary>
        public int Size => _size;

        public int TableRows => _tableRows;

        /// <summary>Bytes of a head's part of the table.</summary>
        public int TableBytes => _tableRows * sizeof(float);

        private static int Cover(int extent, int window) => (extent + window - 1) / window;
    }
}
