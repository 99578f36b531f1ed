using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The last resampling of the model: two logits per pixel (background, object) to the size of the picture, corners aligned,
/// either as they are or decided at once.
/// </summary>
public static unsafe class BilinearLogits
{
    private const int PixelsPerPiece = 8192;

    /// <summary>Resamples batch × h × w × 2 logits to batch × height × width × 2.</summary>
    public static void Forward(float* logits, int batch, int h, int w, float* y, int height, int width) =>
        Run(logits, batch, h, w, y, null, height, width);

    /// <summary>
    /// Resamples batch × h × w × 2 logits and writes batch × height × width bytes: 1 where the object's logit is the larger one,
    /// exactly as <see cref="Forward"/> followed by the argmax (equal logits are background).
    /// </summary>
    public static void Mask(float* logits, int batch, int h, int w, byte* mask, int height, int width) =>
        Run(logits, batch, h, w, null, mask, height, width);

    private static void Run(float* logits, int batch, int h, int w, float* y, byte* mask, int height, int width)
    {
        if (batch == 0 || height == 0 || width == 0) return;
        Body body = new()
        {
            Logits = logits,
            Y = y,
            Mask = mask,
            InputHeight = h,
            InputWidth = w,
            Height = height,
            Width = width,
            RowsPerPiece = Math.Max(1, PixelsPerPiece / width),
        };
        body.PiecesPerMap = SimdLoop.Pieces(height, body.RowsPerPiece);
        SimdLoop.For(batch * body.PiecesPerMap, body);
    }

    private struct Body : ISimdLoopBody
    {
        public float* Logits, Y;
        public byte* Mask;
        public int InputHeight, InputWidth, Height, Width, RowsPerPiece, PiecesPerMap;

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            (int map, int piece) = Math.DivRem(index, PiecesPerMap);
            // One row between two input rows, with a pixel more behind its end: pairs of pixels are read as one vector.
            int values = 2 * InputWidth;
            float* blended = (float*)Workers.Scratch((values + 2L) * sizeof(float) + (long)Width * sizeof(AlignedCorners));
            blended[values] = blended[values + 1] = 0;
            AlignedCorners* columns = (AlignedCorners*)(blended + values + 2);
            AlignedCorners.Fill(columns, InputWidth, Width);
            float* logits = Logits + (long)map * InputHeight * values;
            int last = Math.Min(Height, (piece + 1) * RowsPerPiece);
            for (int row = piece * RowsPerPiece; row < last; row++)
            {
                AlignedCorners at = new(row, InputHeight, Height);
                Blend<V>(logits + (long)at.First * values, logits + (long)at.Second * values, at.Fraction, blended, values);
                long first = ((long)map * Height + row) * Width;
                if (Y is not null) Stretch(blended, columns, Width, Y + 2 * first);
                else Decide(blended, columns, Width, Mask + first);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Blend<V>(float* above, float* below, float down, float* blended, int n)
            where V : struct, ISimd<V>
        {
            V wa = V.Broadcast(1 - down), wb = V.Broadcast(down);
            int i = 0;
            for (; i <= n - V.Width; i += V.Width) V.Store(V.MultiplyAdd(V.Load(above + i), wa, V.Load(below + i) * wb), blended + i);
            for (; i < n; i++) blended[i] = above[i] * (1 - down) + below[i] * down;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Stretch(float* blended, AlignedCorners* columns, int width, float* y)
        {
            for (int column = 0; column < width; column++) Pixel(blended, columns[column]).GetLower().Store(y + 2 * column);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Decide(float* blended, AlignedCorners* columns, int width, byte* mask)
        {
            for (int column = 0; column < width; column++)
            {
                Vector128<float> logits = Pixel(blended, columns[column]);
                mask[column] = logits.GetElement(1) > logits.GetElement(0) ? (byte)1 : (byte)0;
            }
        }

        /// <summary>The two logits of an output pixel, in the lower half.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector128<float> Pixel(float* blended, in AlignedCorners column)
        {
            float right = column.Fraction, left = 1 - right;
            Vector128<float> pair = Vector128.Load(blended + 2 * column.First) * Vector128.Create(left, left, right, right);
            return pair + Vector128.Shuffle(pair, Vector128.Create(2, 3, 0, 1));
        }
    }
}
