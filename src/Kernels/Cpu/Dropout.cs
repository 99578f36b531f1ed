using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>Dropout (Srivastava et al., 2014) with the numbers of <see cref="Philox"/>, so that the backward pass can draw the same ones again.</summary>
public static unsafe class Dropout
{
    private const int ElementsPerPiece = 16384;
    private const int MostNumbers = 32;

    /// <summary>
    /// y[i] = x[i] / (1 − probability) where number first + i of the stream is at least <paramref name="probability"/>, otherwise 0.
    /// <paramref name="y"/> may be <paramref name="x"/>. The gradient is the same function of the result's gradient.
    /// </summary>
    public static void Run(float* x, float* y, long n, float probability, ulong seed, ulong stream, long first = 0)
    {
        // A block has four numbers; what lies before the first whole one is few.
        for (; n > 0 && first % 4 != 0; n--, first++, x++, y++)
            *y = Philox.Uniform(seed, stream, (ulong)first) < probability ? 0f : *x * (1f / (1f - probability));
        switch (CpuInfo.VectorBits)
        {
            case 512:
                Run<F512, Philox512>(x, y, n, probability, seed, stream, (ulong)first / 4);
                break;
            case 256:
                Run<F256, Philox256>(x, y, n, probability, seed, stream, (ulong)first / 4);
                break;
            default:
                Run<F128, PhiloxScalar>(x, y, n, probability, seed, stream, (ulong)first / 4);
                break;
        }
    }

    private static void Run<V, TPhilox>(float* x, float* y, long n, float probability, ulong seed, ulong stream, ulong firstBlock)
        where V : struct, ISimd<V>
        where TPhilox : struct, IPhiloxVector
    {
        Body<V, TPhilox> body = new() { X = x, Y = y, Count = n, Probability = probability, Seed = seed, Stream = stream, FirstBlock = firstBlock };
        Workers.Current.For(SimdLoop.Pieces(n, ElementsPerPiece), ref body);
    }

    private struct Body<V, TPhilox> : ILoopBody
        where V : struct, ISimd<V>
        where TPhilox : struct, IPhiloxVector
    {
        public float* X;
        public float* Y;
        public long Count;
        public float Probability;
        public ulong Seed;
        public ulong Stream;
        public ulong FirstBlock;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(Body<V, TPhilox>), 2.0 * Count);

        public readonly void Run(int index, int worker)
        {
            long start = (long)index * ElementsPerPiece;
            Run(X + start, Y + start, (int)Math.Min(ElementsPerPiece, Count - start), Probability, Seed, Stream, FirstBlock + (ulong)start / 4);
        }

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Run(float* x, float* y, int count, float probability, ulong seed, ulong stream, ulong block)
        {
            float* numbers = stackalloc float[MostNumbers];
            float factor = 1f / (1f - probability);
            int i = 0;
            for (; i + TPhilox.Numbers <= count; i += TPhilox.Numbers, block += (ulong)TPhilox.Numbers / 4)
            {
                TPhilox.Draw(seed, stream, block, numbers);
                for (int k = 0; k < TPhilox.Numbers; k += V.Width)
                    V.Store(V.SelectLess(V.Load(numbers + k), V.Broadcast(probability), V.Zero, V.Load(x + i + k) * V.Broadcast(factor)), y + i + k);
            }
            if (i == count) return;
            TPhilox.Draw(seed, stream, block, numbers);
            for (int k = 0; i < count; i++, k++) y[i] = numbers[k] < probability ? 0f : x[i] * factor;
        }
    }
}
