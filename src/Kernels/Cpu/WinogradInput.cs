using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>Transforms the input tiles of some blocks: a piece of the loop is one tile.</summary>
internal unsafe struct WinogradInput : ISimdLoopBody
{
    /// <summary>Floats by which pixels are called for ahead: processors do not foresee short streams. A third of the time.</summary>
    private const int FloatsAhead = 32;

    /// <summary>From a row of numbers to be rounded to the next: a vector more, lest they fall onto the same lines of the first cache.</summary>
    private const int RoundedRow = WinogradOperand.LongestBlock + 16;

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
        WinogradScheme scheme = Stretch.Plan.Scheme;
        nint edge = (nint)scheme.Products * channels;
        float* scratch = (float*)Workers.Scratch((edge + (scheme.Products * RoundedRow)) * sizeof(float));
        float* source = X + ((((((nint)frame * height) + y - 1) * width) + x - 1) * channels);
        nint rowStride = (nint)width * channels;
        if (y == 0 || x == 0 || y + scheme.Inputs - 1 > height || x + scheme.Inputs - 1 > width)
        {
            source = CopyWithBorder(frame, y - 1, x - 1, scratch);
            rowStride = scheme.Inputs * channels;
        }
        for (int part = 0; part < transformed.Blocks; part++)
        {
            int first = transformed.FirstChannel(part), count = transformed.FirstChannel(part + 1) - first;
            float* target = transformed.Block(part) + ((nint)tile * WinogradOperand.Floats(count, Stretch.Rounded));
            float* numbers = Stretch.Rounded ? scratch + edge : target;
            Transform<V>(source + first, rowStride, channels, count, numbers, Stretch.Rounded ? RoundedRow : transformed.Plane);
            for (int product = 0; Stretch.Rounded && product < scheme.Products; product++)
                transformed.Scales(product, part)[tile] = WinogradRounding.Row<V>(numbers + (product * RoundedRow), count, target + (product * transformed.Plane));
        }
    }

    public readonly KernelWork Describe(int pieces) => new(
        $"Winograd.Input{(Stretch.Rounded ? ".Int16" : "")} {Stretch.Plan.Map} x {Stretch.Channels}",
        Bytes: sizeof(float) * (double)pieces * Stretch.Channels * ((Stretch.Plan.Scheme.Outputs * Stretch.Plan.Scheme.Outputs) + Stretch.Plan.Scheme.Products));

    /// <summary>A tile that reaches beyond the frame, with zeros there.</summary>
    private readonly float* CopyWithBorder(nint frame, int y, int x, float* tile)
    {
        (int channels, int height, int width) = (Stretch.Channels, Stretch.Plan.Map.Height, Stretch.Plan.Map.Width);
        int inputs = Stretch.Plan.Scheme.Inputs;
        float* pixel = tile;
        for (int i = y; i < y + inputs; i++)
        {
            for (int j = x; j < x + inputs; j++, pixel += channels)
            {
                Span<float> target = new(pixel, channels);
                bool inside = i >= 0 && i < height && j >= 0 && j < width;
                if (inside) new Span<float>(X + ((((frame * height) + i) * width) + j) * channels, channels).CopyTo(target);
                else target.Clear();
            }
        }
        return tile;
    }

    private readonly void Transform<V>(float* source, nint rowStride, nint pixelStride, int channels, float* target, nint plane)
        where V : struct, ISimd<V>
    {
        if (Stretch.Plan.Scheme.IsSix) Transform<V, Winograd6>(source, rowStride, pixelStride, channels, target, plane);
        else Transform<V, Winograd5>(source, rowStride, pixelStride, channels, target, plane);
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transform<V, T>(float* source, nint rowStride, nint pixelStride, int channels, float* target, nint plane)
        where V : struct, ISimd<V>
        where T : struct, IWinograd
    {
        int n = T.Outputs + 2;
        float* half = stackalloc float[n * n * V.Width];
        for (int c = 0; c < channels; c += V.Width, source += V.Width, target += V.Width)
        {
            for (int i = 0; i < n; i++)
            {
                float* row = source + (i * rowStride);
                if (Sse.IsSupported)
                    for (int j = 0; j < n; j++) Sse.Prefetch0(row + (j * pixelStride) + FloatsAhead);
                T.TransformInput<V>(row, pixelStride, half + (i * n * V.Width), V.Width);
            }
            for (int j = 0; j < n; j++)
                T.TransformInput<V>(half + (j * V.Width), n * V.Width, target + (j * plane), n * plane);
        }
    }
}
