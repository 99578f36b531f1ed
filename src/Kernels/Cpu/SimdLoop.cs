namespace Lavt.Kernels.Cpu;

/// <summary>One piece of a parallel loop, written for any vector width.</summary>
internal interface ISimdLoopBody
{
    /// <summary>Does piece <paramref name="index"/> on worker <paramref name="worker"/> with vectors of type <typeparamref name="V"/>.</summary>
    void Run<V>(int index, int worker)
        where V : struct, ISimd<V>;

    /// <inheritdoc cref="ILoopBody.Describe"/>
    KernelWork Describe(int pieces) => KernelWork.Of(GetType());
}

/// <summary>Runs parallel loops with the vector width of this processor: the one place where kernels of this kind choose it.</summary>
internal static class SimdLoop
{
    /// <summary>Runs <paramref name="body"/> for 0 … <paramref name="pieces"/> − 1 on the current workers.</summary>
    public static void For<TBody>(int pieces, TBody body)
        where TBody : struct, ISimdLoopBody
    {
        switch (CpuInfo.VectorBits)
        {
            case 512:
                For<F512, TBody>(pieces, body);
                break;
            case 256:
                For<F256, TBody>(pieces, body);
                break;
            default:
                For<F128, TBody>(pieces, body);
                break;
        }
    }

    /// <summary>How many pieces of <paramref name="size"/> cover <paramref name="total"/>. Sizes are fixed by the caller, never by the number of workers, so that results do not depend on it.</summary>
    public static int Pieces(long total, long size) => checked((int)((total + size - 1) / size));

    private static void For<V, TBody>(int pieces, TBody body)
        where V : struct, ISimd<V>
        where TBody : struct, ISimdLoopBody
    {
        OfWidth<V, TBody> loop = new(body);
        Workers.Current.For(pieces, ref loop);
    }

    private readonly struct OfWidth<V, TBody>(TBody body) : ILoopBody
        where V : struct, ISimd<V>
        where TBody : struct, ISimdLoopBody
    {
        private readonly TBody _body = body;

        public void Run(int index, int worker) => _body.Run<V>(index, worker);

        public KernelWork Describe(int pieces) => _body.Describe(pieces);
    }
}
