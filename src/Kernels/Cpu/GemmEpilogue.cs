using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>A rectangle of finished sums and where they belong.</summary>
internal unsafe struct SumTile
{
    /// <summary>The first sum; each row is readable up to a whole vector. May be the place in C itself.</summary>
    public float* Sums;

    /// <summary>From a row of sums to the next.</summary>
    public nint SumStride;

    /// <summary>Element (0, 0) of all of C, not of this rectangle.</summary>
    public float* C;

    /// <summary>From a row of C to the next.</summary>
    public nint CStride;

    /// <summary>The rectangle's first row in C.</summary>
    public nint Row;

    /// <summary>The rectangle's first column in C.</summary>
    public nint Column;

    /// <summary>The rectangle's height.</summary>
    public int Rows;

    /// <summary>The rectangle's width.</summary>
    public int Columns;
}

/// <summary>Bias, activation, residual and accumulation on sums that are still in the cache.</summary>
internal static unsafe class GemmEpilogue
{
    /// <summary>Stores the finished elements of a rectangle.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply<V>(ref readonly Epilogue epilogue, ref readonly SumTile tile)
        where V : struct, ISimd<V>
    {
        switch (epilogue.Activation)
        {
            case Activation.Relu: Apply<V, ReluFunction>(in epilogue, in tile); break;
            case Activation.Gelu: Apply<V, GeluFunction>(in epilogue, in tile); break;
            case Activation.Tanh: Apply<V, TanhFunction>(in epilogue, in tile); break;
            case Activation.Sigmoid: Apply<V, SigmoidFunction>(in epilogue, in tile); break;
            default: Apply<V, IdentityFunction>(in epilogue, in tile); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Apply<V, TFunction>(ref readonly Epilogue epilogue, ref readonly SumTile tile)
        where V : struct, ISimd<V>
        where TFunction : IActivationFunction
    {
        for (nint i = 0; i < tile.Rows; i++)
        {
            nint offset = ((tile.Row + i) * tile.CStride) + tile.Column;
            RowPointers row = new()
            {
                Sums = tile.Sums + (i * tile.SumStride),
                C = tile.C + offset,
                Bias = epilogue.Bias == null ? null : epilogue.Bias + tile.Column,
                PreActivation = epilogue.PreActivation == null ? null : epilogue.PreActivation + offset,
                Residual = epilogue.Residual == null
                    ? null
                    : epilogue.Residual + ((tile.Row + i) * epilogue.ResidualStride) + tile.Column,
                Old = epilogue.Accumulate ? tile.C + offset : null,
            };
            nint j = 0;
            for (; j + V.Width <= tile.Columns; j += V.Width) Finish<V, TFunction>(in row, j);
            if (j < tile.Columns) FinishTail<V, TFunction>(in row, j, (int)(tile.Columns - j));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<V, TFunction>(in RowPointers row, nint j)
        where V : struct, ISimd<V>
        where TFunction : IActivationFunction
    {
        V sum = V.Load(row.Sums + j);
        if (row.Bias != null) sum += V.Load(row.Bias + j);
        if (row.PreActivation != null) V.Store(sum, row.PreActivation + j);
        V y = TFunction.Apply(sum);
        if (row.Residual != null) y += V.Load(row.Residual + j);
        if (row.Old != null) y += V.Load(row.Old + j);
        V.Store(y, row.C + j);
    }

    /// <summary>The last columns that do not fill a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FinishTail<V, TFunction>(in RowPointers row, nint j, int count)
        where V : struct, ISimd<V>
        where TFunction : IActivationFunction
    {
        V sum = V.Load(row.Sums + j);
        if (row.Bias != null) sum += VectorTail.Load<V>(row.Bias + j, count);
        if (row.PreActivation != null) VectorTail.Store(sum, row.PreActivation + j, count);
        V y = TFunction.Apply(sum);
        if (row.Residual != null) y += VectorTail.Load<V>(row.Residual + j, count);
        if (row.Old != null) y += VectorTail.Load<V>(row.Old + j, count);
        VectorTail.Store(y, row.C + j, count);
    }

    /// <summary>One row of each operand; null where there is none.</summary>
    private struct RowPointers
    {
        public float* Sums;
        public float* C;
        public float* Bias;
        public float* PreActivation;
        public float* Residual;
        public float* Old;
    }
}
