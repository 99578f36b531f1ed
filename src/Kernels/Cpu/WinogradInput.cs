using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>Transforms the inputs of tiles: a piece of the loop is one tile.</summary>
internal unsafe struct WinogradInput : ISimdLoopBody
{
    /// <summary>Floats by which pixels are called for ahead: processors do not foresee 49 short streams. A third of the time.</summary>
    private const int FloatsAhead = 32;

    /// <summary>[batch, height, width, channels].</summary>
    public float* X;

    /// <summary>The tiles of the pictures.</summary>
    public WinogradGrid Grid;

    /// <summary>The tile of piece 0.</summary>
    public nint FirstTile;

    /// <summary>Where the results go.</summary>
    public WinogradOperand Transformed;

    public readonly void Run<V>(int index, int worker)
        where V : struct, ISimd<V>
    {
        int channels = Transformed.Channels;
        (nint picture, int y, int x) = Grid.Locate(FirstTile + index);
        float* source = X + (((((picture * Grid.Height) + y - 1) * Grid.Width) + x - 1) * channels);
        nint rowStride = (nint)Grid.Width * channels;
        if (y == 0 || x == 0 || y + Winograd.Inputs - 1 > Grid.Height || x + Winograd.Inputs - 1 > Grid.Width)
        {
            source = CopyWithBorder(picture, y - 1, x - 1);
            rowStride = Winograd.Inputs * channels;
        }
        for (int block = 0; block < Transformed.Blocks; block++)
        {
            int first = Transformed.FirstChannel(block), count = Transformed.FirstChannel(block + 1) - first;
            Transform<V>(source + first, rowStride, channels, count, Transformed.Block(block) + ((nint)index * count), Transformed.Plane);
        }
    }

    public readonly KernelWork Describe(int pieces) => new(
        $"Winograd.Input {Grid.Height} x {Grid.Width} x {Transformed.Channels}",
        Bytes: sizeof(float) * (double)pieces * Transformed.Channels * ((Winograd.Outputs * Winograd.Outputs) + Winograd.Products));

    /// <summary>A tile that reaches beyond the picture, with zeros there.</summary>
    private readonly float* CopyWithBorder(nint picture, int y, int x)
    {
        int channels = Transformed.Channels;
        float* tile = (float*)Workers.Scratch((long)Winograd.Products * channels * sizeof(float)), pixel = tile;
        for (int i = y; i < y + Winograd.Inputs; i++)
        {
            for (int j = x; j < x + Winograd.Inputs; j++, pixel += channels)
            {
                Span<float> target = new(pixel, channels);
                bool inside = i >= 0 && i < Grid.Height && j >= 0 && j < Grid.Width;
                if (inside) new Span<float>(X + (((((picture * Grid.Height) + i) * Grid.Width) + j) * channels), channels).CopyTo(target);
                else target.Clear();
            }
        }
        return tile;
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transform<V>(float* source, nint rowStride, nint pixelStride, int channels, float* target, nint plane)
        where V : struct, ISimd<V>
    {
        const int N = Winograd.Inputs;
        float* half = stackalloc float[Winograd.Products * V.Width];
        for (int c = 0; c < channels; c += V.Width, source += V.Width, target += V.Width)
        {
            for (int i = 0; i < N; i++)
            {
                float* row = source + (i * rowStride);
                if (Sse.IsSupported)
                    for (int j = 0; j < N; j++) Sse.Prefetch0(row + (j * pixelStride) + FloatsAhead);
                Winograd.TransformInput<V>(row, pixelStride, half + (i * N * V.Width), V.Width);
            }
            for (int j = 0; j < N; j++)
                Winograd.TransformInput<V>(half + (j * V.Width), N * V.Width, target + (j * plane), N * plane);
        }
    }
}
