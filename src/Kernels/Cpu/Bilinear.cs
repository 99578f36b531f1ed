using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Bilinear resampling of channels-last maps with aligned corners: the decoder's way up. Pixels of the larger map may lie
/// further apart than their channels, so that the result goes straight into a wider, concatenated map.
/// </summary>
public static unsafe class Bilinear
{
    private const int FloatsPerPiece = 16384;

    /// <summary>Resamples <paramref name="x"/> to <paramref name="height"/> × <paramref name="width"/>.</summary>
    /// <param name="x">Input, batch × h × w × channels float32 values.</param>
    /// <param name="batch">The number of maps.</param>
    /// <param name="h">The rows of each, at least 1.</param>
    /// <param name="w">The columns of each, at least 1.</param>
    /// <param name="channels">The number of channels.</param>
    /// <param name="y">Output, batch × height × width pixels.</param>
    /// <param name="height">The output's rows.</param>
    /// <param name="width">The output's columns.</param>
    /// <param name="yPixelStride">Floats from one output pixel to the next, at least <paramref name="channels"/>; the values between are left alone.</param>
    public static void Forward(float* x, int batch, int h, int w, int channels, float* y, int height, int width, long yPixelStride)
    {
        if (batch == 0 || height == 0 || width == 0 || channels == 0) return;
        if (channels == 2 && yPixelStride == 2)
        {
            BilinearLogits.Forward(x, batch, h, w, y, height, width);
            return;
        }
        ForwardBody body = new()
        {
            X = x,
            Y = y,
            InputHeight = h,
            InputWidth = w,
            Channels = channels,
            Height = height,
            Width = width,
            PixelStride = yPixelStride,
            RowsPerPiece = Math.Max(1, FloatsPerPiece / (width * channels)),
        };
        body.PiecesPerMap = SimdLoop.Pieces(height, body.RowsPerPiece);
        SimdLoop.For(batch * body.PiecesPerMap, body);
    }

    /// <summary>The gradient of <see cref="Forward"/>. Each input row gathers what it gave, in a fixed order.</summary>
    /// <param name="dy">Gradient of the output, batch × height × width pixels.</param>
    /// <param name="dyPixelStride">Floats from one of its pixels to the next.</param>
    /// <param name="batch">The number of maps.</param>
    /// <param name="h">The input's rows.</param>
    /// <param name="w">The input's columns.</param>
    /// <param name="channels">The number of channels.</param>
    /// <param name="dx">Gradient of the input, batch × h × w × channels, overwritten.</param>
    /// <param name="height">The output's rows.</param>
    /// <param name="width">The output's columns.</param>
    public static void Backward(float* dy, long dyPixelStride, int batch, int h, int w, int channels, float* dx, int height, int width)
    {
        if (batch == 0 || channels == 0) return;
        BackwardBody body = new()
        {
            Dy = dy,
            Dx = dx,
            InputHeight = h,
            InputWidth = w,
            Channels = channels,
            Height = height,
            Width = width,
            PixelStride = dyPixelStride,
        };
        SimdLoop.For(batch * h, body);
    }

    private struct ForwardBody : ISimdLoopBody
    {
        public float* X, Y;
        public long PixelStride;
        public int InputHeight, InputWidth, Channels, Height, Width, RowsPerPiece, PiecesPerMap;

        public readonly KernelWork Describe(int pieces) =>
            KernelWork.Moving(typeof(ForwardBody), (double)pieces / PiecesPerMap * Channels * ((InputHeight * InputWidth) + (Height * Width)));

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            (int map, int piece) = Math.DivRem(index, PiecesPerMap);
            AlignedCorners* columns = (AlignedCorners*)Workers.Scratch((long)Width * sizeof(AlignedCorners));
            AlignedCorners.Fill(columns, InputWidth, Width);
            int last = Math.Min(Height, (piece + 1) * RowsPerPiece);
            float* x = X + (long)map * InputHeight * InputWidth * Channels;
            for (int row = piece * RowsPerPiece; row < last; row++)
            {
                AlignedCorners at = new(row, InputHeight, Height);
                float* above = x + (long)at.First * InputWidth * Channels, below = x + (long)at.Second * InputWidth * Channels;
                float* y = Y + ((long)map * Height + row) * Width * PixelStride;
                for (int column = 0; column < Width; column++)
                    Pixel<V>(above, below, at.Fraction, columns[column], y + column * PixelStride, Channels);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Pixel<V>(float* above, float* below, float down, in AlignedCorners column, float* y, int channels)
            where V : struct, ISimd<V>
        {
            float right = column.Fraction;
            long first = (long)column.First * channels, second = (long)column.Second * channels;
            float* a = above + first, b = above + second, c = below + first, d = below + second;
            V wa = V.Broadcast((1 - down) * (1 - right)), wb = V.Broadcast((1 - down) * right);
            V wc = V.Broadcast(down * (1 - right)), wd = V.Broadcast(down * right);
            int i = 0;
            for (; i <= channels - V.Width; i += V.Width)
            {
                V top = V.MultiplyAdd(V.Load(a + i), wa, V.Load(b + i) * wb);
                V bottom = V.MultiplyAdd(V.Load(c + i), wc, V.Load(d + i) * wd);
                V.Store(top + bottom, y + i);
            }
            for (; i < channels; i++)
            {
                float top = a[i] * ((1 - down) * (1 - right)) + b[i] * ((1 - down) * right);
                y[i] = top + (c[i] * (down * (1 - right)) + d[i] * (down * right));
            }
        }
    }

    private struct BackwardBody : ISimdLoopBody
    {
        public float* Dy, Dx;
        public long PixelStride;
        public int InputHeight, InputWidth, Channels, Height, Width;

        public readonly KernelWork Describe(int pieces) =>
            KernelWork.Moving(typeof(BackwardBody), (double)pieces / InputHeight * Channels * ((InputHeight * InputWidth) + (Height * Width)));

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            (int map, int row) = Math.DivRem(index, InputHeight);
            float* gathered = (float*)Workers.Scratch((long)Width * Channels * sizeof(float));
            GatherRows<V>(Dy + (long)map * Height * Width * PixelStride, row, gathered);
            float* dx = Dx + (long)index * InputWidth * Channels;
            new Span<float>(dx, InputWidth * Channels).Clear();
            for (int column = 0; column < Width; column++)
            {
                AlignedCorners at = new(column, InputWidth, Width);
                float* g = gathered + (long)column * Channels;
                AddScaled<V>(dx + (long)at.First * Channels, g, 1 - at.Fraction, Channels);
                if (at.Fraction > 0) AddScaled<V>(dx + (long)at.Second * Channels, g, at.Fraction, Channels);
            }
        }

        /// <summary>The sum of the output rows that read input row <paramref name="row"/>, with their weights.</summary>
        private readonly void GatherRows<V>(float* dy, int row, float* gathered)
            where V : struct, ISimd<V>
        {
            new Span<float>(gathered, Width * Channels).Clear();
            int last = AlignedCorners.FirstOutputAt(row + 1, InputHeight, Height);
            for (int output = AlignedCorners.FirstOutputAt(row - 1, InputHeight, Height); output < last; output++)
            {
                AlignedCorners at = new(output, InputHeight, Height);
                float weight = at.First == row ? 1 - at.Fraction : at.Fraction;
                if (weight == 0) continue;
                float* source = dy + (long)output * Width * PixelStride;
                if (PixelStride == Channels) AddScaled<V>(gathered, source, weight, Width * Channels);
                else
                    for (int column = 0; column < Width; column++)
                        AddScaled<V>(gathered + (long)column * Channels, source + column * PixelStride, weight, Channels);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void AddScaled<V>(float* sum, float* x, float weight, int n)
            where V : struct, ISimd<V>
        {
            V weights = V.Broadcast(weight);
            int i = 0;
            for (; i <= n - V.Width; i += V.Width) V.Store(V.MultiplyAdd(V.Load(x + i), weights, V.Load(sum + i)), sum + i);
            for (; i < n; i++) sum[i] += x[i] * weight;
        }
    }
}
