using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Max-pooling with stride 1 and an odd window, centred, row by row over a map whose border lies in memory: there are
/// size / 2 cells on every side, −∞ in values and −1 in codes, and a vector's width more at the right end of a row. The
/// code of a cell tells which cell of its window was the largest, the first one in row-major order, as in PyTorch.
/// </summary>
internal static unsafe class MaxPool
{
    /// <summary>y[c] = the largest of the window around x[c]; <paramref name="code"/>, unless null, = which one (0 … size² − 1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ForwardRow<V>(float* x, float* y, float* code, int width, int stride, int size)
        where V : struct, ISimd<V>
    {
        float* window = x - size / 2 * (stride + 1);
        for (int c = 0; c < width; c += V.Width)
        {
            V largest = V.Broadcast(float.NegativeInfinity), which = V.Zero;
            for (int row = 0, k = 0; row < size; row++)
                for (int column = 0; column < size; column++, k++)
                {
                    V candidate = V.Load(window + row * stride + column + c);
                    which = V.SelectLess(largest, candidate, V.Broadcast(k), which);
                    largest = V.SelectLess(largest, candidate, candidate, largest);
                }
            V.Store(largest, y + c);
            if (code != null) V.Store(which, code + c);
        }
    }

    /// <summary>dx[c] = the sum of dy over the windows that took their largest value from cell c, always in the same order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void BackwardRow<V>(float* dy, float* code, float* dx, int width, int stride, int size)
        where V : struct, ISimd<V>
    {
        int corner = size / 2 * (stride + 1);
        for (int c = 0; c < width; c += V.Width)
        {
            V sum = V.Zero;
            for (int row = 0, k = 0; row < size; row++)
                for (int column = 0; column < size; column++, k++)
                {
                    // The window in which this cell has number k.
                    int at = corner - row * stride - column + c;
                    V distance = V.Abs(V.Load(code + at) - V.Broadcast(k));
                    sum += V.SelectLess(distance, V.Broadcast(0.5f), V.Load(dy + at), V.Zero);
                }
            V.Store(sum, dx + c);
        }
    }
}
