using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

public static unsafe partial class Elementwise
{
    private interface IBinaryOp
    {
        static abstract V Apply<V>(V a, V b)
            where V : struct, ISimd<V>;
    }

    private readonly struct Sum : IBinaryOp
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V>(V a, V b)
            where V : struct, ISimd<V> => a + b;
    }

    private readonly struct Product : IBinaryOp
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V>(V a, V b)
            where V : struct, ISimd<V> => a * b;
    }

    /// <summary>The elements of piece <paramref name="index"/>: from the result to <paramref name="end"/>.</summary>
    private static long First(int index, long count, out long end)
    {
        long first = (long)index * FloatsPerPiece;
        end = Math.Min(count, first + FloatsPerPiece);
        return first;
    }

    private struct ForwardBody<TOp> : ISimdLoopBody
        where TOp : struct, IUnaryOp
    {
        public float* X, Y;
        public long Count;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(ForwardBody<TOp>), 2.0 * Count);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            long i = First(index, Count, out long end);
            float* x = X, y = Y;
            for (; i <= end - V.Width; i += V.Width) V.Store(TOp.Forward(V.Load(x + i)), y + i);
            int left = (int)(end - i);
            if (left > 0) VectorTail.Store(TOp.Forward(VectorTail.Load<V>(x + i, left)), y + i, left);
        }
    }

    private struct BackwardBody<TOp> : ISimdLoopBody
        where TOp : struct, IUnaryOp
    {
        public float* X, Y, Dy, Dx;
        public long Count;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(BackwardBody<TOp>), 3.0 * Count);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            long i = First(index, Count, out long end);
            float* x = X, y = Y, dy = Dy, dx = Dx;
            for (; i <= end - V.Width; i += V.Width)
                V.Store(V.Load(dy + i) * TOp.Derivative(V.Load(x + i), V.Load(y + i)), dx + i);
            int left = (int)(end - i);
            if (left == 0) return;
            V derivative = TOp.Derivative(VectorTail.Load<V>(x + i, left), VectorTail.Load<V>(y + i, left));
            VectorTail.Store(VectorTail.Load<V>(dy + i, left) * derivative, dx + i, left);
        }
    }

    private struct BinaryBody<TOp> : ISimdLoopBody
        where TOp : struct, IBinaryOp
    {
        public float* A, B, Y;
        public long Count;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(BinaryBody<TOp>), 3.0 * Count);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            long i = First(index, Count, out long end);
            float* a = A, b = B, y = Y;
            for (; i <= end - V.Width; i += V.Width) V.Store(TOp.Apply(V.Load(a + i), V.Load(b + i)), y + i);
            int left = (int)(end - i);
            if (left > 0) VectorTail.Store(TOp.Apply(VectorTail.Load<V>(a + i, left), VectorTail.Load<V>(b + i, left)), y + i, left);
        }
    }

    private struct ScaleBody : ISimdLoopBody
    {
        public float* X, Y;
        public float Factor;
        public long Count;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(ScaleBody), 2.0 * Count);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            long i = First(index, Count, out long end);
            float* x = X, y = Y;
            V factor = V.Broadcast(Factor);
            for (; i <= end - V.Width; i += V.Width) V.Store(V.Load(x + i) * factor, y + i);
            int left = (int)(end - i);
            if (left > 0) VectorTail.Store(VectorTail.Load<V>(x + i, left) * factor, y + i, left);
        }
    }

    private struct GateBody : ISimdLoopBody
    {
        public float* T, R, X, Y;
        public long Count;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(GateBody), 4.0 * Count);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            long i = First(index, Count, out long end);
            float* t = T, r = R, x = X, y = Y;
            for (; i <= end - V.Width; i += V.Width)
                V.Store(V.MultiplyAdd(V.Load(t + i), V.Load(r + i), V.Load(x + i)), y + i);
            int left = (int)(end - i);
            if (left == 0) return;
            V value = V.MultiplyAdd(VectorTail.Load<V>(t + i, left), VectorTail.Load<V>(r + i, left), VectorTail.Load<V>(x + i, left));
            VectorTail.Store(value, y + i, left);
        }
    }
}
