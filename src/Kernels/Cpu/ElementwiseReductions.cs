using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

public static unsafe partial class Elementwise
{
    private const int FloatsPerSum = 1024;

    /// <summary>Σ x², summed in blocks of 1024 floats and those in double: the square of a gradient norm. Squares above float32's range give infinity.</summary>
    public static double SumOfSquares(float* x, long n)
    {
        int pieces = SimdLoop.Pieces(n, FloatsPerPiece);
        double* partials = (double*)Workers.Scratch((long)pieces * sizeof(double));
        SimdLoop.For(pieces, new SumOfSquaresBody { X = x, Partials = partials, Count = n });
        double sum = 0;
        for (int i = 0; i < pieces; i++) sum += partials[i];
        return sum;
    }

    private struct SumOfSquaresBody : ISimdLoopBody
    {
        public float* X;
        public double* Partials;
        public long Count;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(SumOfSquaresBody), Count);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            long i = First(index, Count, out long end);
            float* x = X;
            double sum = 0;
            while (i <= end - V.Width)
            {
                long blockEnd = Math.Min(end, i + FloatsPerSum);
                V s0 = V.Zero, s1 = V.Zero;
                for (; i <= blockEnd - 2 * V.Width; i += 2 * V.Width)
                {
                    V a = V.Load(x + i), b = V.Load(x + i + V.Width);
                    s0 = V.MultiplyAdd(a, a, s0);
                    s1 = V.MultiplyAdd(b, b, s1);
                }
                if (i <= blockEnd - V.Width)
                {
                    V a = V.Load(x + i);
                    s0 = V.MultiplyAdd(a, a, s0);
                    i += V.Width;
                }
                sum += V.Sum(s0 + s1);
            }
            for (; i < end; i++) sum += (double)x[i] * x[i];
            Partials[index] = sum;
        }
    }
}
