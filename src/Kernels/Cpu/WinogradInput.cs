using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>Transforms the input tiles of some blocks: a piece of the loop is one tile.</summary>
internal unsafe struct WinogradInput : ISimdLoopBody
{
    /// <summary>Floats by which pixels are called for ahead: processors do not foresee 49 short streams. A third of the time.</summary>
    private const int FloatsAhead = 32;

    /// <summary>From a row of numbers to be rounded to the next: a vector more, lest they fall onto the same lines of the first cache.</summary>
    private const int RoundedRow = WinogradOperand.LongestBlock + 16;

    private const int RoundedFloats = Winograd.Products * RoundedRow;

    /// <summary>[batch, frames, height, width, channels].</summary>
    public float* X;

    /// <summary>The blocks' tiles and where their results go.</summary>
    public WinogradStretch Stretch;

    public readonly void Run<V>(int index, int worker)
        where V : struct, ISimd<V>
    {
        WinogradBlock block = Stretch.Block(index / Stretch.MostInputTiles);
        int tile = index % Stretch.MostInputTiles;
        if (tile >= block.InputTiles) return;
        WinogradOperand transformed = Stretch.Operand(index / Stretch.MostInputTiles, block);
        (int inputFrame, int column) = Math.DivRem(tile, block.Columns);
        (int frame, int y, int x) = Stretch.Plan.Locate(block.FirstColumn + column);
        frame += block.FirstInput + inputFrame;
        int channels = transformed.Channels, height = Stretch.Plan.Map.Height, width = Stretch.Plan.Map.Width;
        nint edge = (nint)Winograd.Products * channels;
        float* scratch = (float*)Workers.Scratch((edge + RoundedFloats) * sizeof(float)), source = X + ((((((nint)frame * height) + y - 1) * width) + x - 1) * channels);
        nint rowStride = (nint)width * channels;
        if (y == 0 || x == 0 || y + Winograd.Inputs - 1 > height || x + Winograd.Inputs - 1 > width)
        {
            source = CopyWithBorder(frame, y - 1, x - 1, scratch);
            rowStride = Winograd.Inputs * channels;
        }
        for (int part = 0; part < transformed.Blocks; part++)
        {
            int first = transformed.FirstChannel(part), count = transformed.FirstChannel(part + 1) - first;
            float* target = transformed.Block(part) + ((nint)tile * WinogradOperand.Floats(count, Stretch.Rounded));
            if (!Stretch.Rounded)
            {
                Transform<V>(source + first, rowStride, channels, count, target, transformed.Plane);
                continue;
            }
            Transform<V>(source + first, rowStride, channels, count, scratch + edge, RoundedRow);
            for (int product = 0; product < Winograd.Products; product++)
                transformed.Scales(product, part)[tile] = WinogradRounding.Row<V>(scratch + edge + (product * RoundedRow), count, target + (product * transformed.Plane));
        }
    }

    public readonly KernelWork Describe(int pieces) => new(
        $"Winograd.Input{(Stretch.Rounded ? ".Int16" : "")} {Stretch.Plan.Map} x {Stretch.Channels}",
        Bytes: sizeof(float) * (double)pieces * Stretch.Channels * ((Winograd.Outputs * Winograd.Outputs) + Winograd.Products));

    /// <summary>A tile that reaches beyond the frame, with zeros there.</summary>
    private readonly float* CopyWithBorder(nint frame, int y, int x, float* tile)
    {
        (int channels, int height, int width) = (Stretch.Channels, Stretch.Plan.Map.Height, Stretch.Plan.Map.Width);
        float* pixel = tile;
        for (int i = y; i < y + Winograd.Inputs; i++)
        {
            for (int j = x; j < x + Winograd.Inputs; j++, pixel += channels)
            {
                Span<float> target = new(pixel, channels);
                bool inside = i >= 0 && i < height && j >= 0 && j < width;
                if (inside) new Span<float>(X + ((((frame * height) + i) * width) + j) * channels, channels).CopyTo(target);
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
