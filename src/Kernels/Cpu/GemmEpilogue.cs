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

    /// <summary>Whether the sums hold the bias already.</summary>
    public bool Biased;
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
        float* sums = tile.Sums, c = tile.C + (tile.Row * tile.CStride) + tile.Column;
        float* bias = epilogue.Bias == null || tile.Biased ? null : epilogue.Bias + tile.Column;
        float* pre = epilogue.PreActivation == null ? null : epilogue.PreActivation + (tile.Row * tile.CStride) + tile.Column;
        float* residual = epilogue.Residual == null ? null : epilogue.Residual + (tile.Row * epilogue.ResidualStride) + tile.Column;
        nint columns = tile.Columns;
        bool accumulates = epilogue.Accumulate;
        for (nint i = tile.Rows; i > 0; i--)
        {
            nint j = 0;
            for (; j + (2 * V.Width) <= columns; j += 2 * V.Width) Finish<Two<V>, TFunction>(sums, bias, pre, residual, accumulates, c, j);
            for (; j + V.Width <= columns; j += V.Width) Finish<V, TFunction>(sums, bias, pre, residual, accumulates, c, j);
            if (j < columns) FinishTail<V, TFunction>(sums, bias, pre, residual, accumulates, c, j, (int)(columns - j));
            sums += tile.SumStride;
            c += tile.CStride;
            if (pre != null) pre += tile.CStride;
            if (residual != null) residual += epilogue.ResidualStride;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<V, TFunction>(float* sums, float* bias, float* pre, float* residual, bool accumulates, float* c, nint j)
        where V : struct, ISimd<V>
        where TFunction : IActivationFunction
    {
        V sum = V.Load(sums + j);
        if (bias != null) sum += V.Load(bias + j);
        if (pre != null) V.Store(sum, pre + j);
        V y = TFunction.Apply(sum);
        if (residual != null) y += V.Load(residual + j);
        if (accumulates) y += V.Load(c + j);
        V.Store(y, c + j);
    }

    /// <summary>The last columns that do not fill a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FinishTail<V, TFunction>(
        float* sums, float* bias, float* pre, float* residual, bool accumulates, float* c, nint j, int count)
        where V : struct, ISimd<V>
        where TFunction : IActivationFunction
    {
        V sum = V.Load(sums + j);
        if (bias != null) sum += VectorTail.Load<V>(bias + j, count);
        if (pre != null) VectorTail.Store(sum, pre + j, count);
        V y = TFunction.Apply(sum);
        if (residual != null) y += VectorTail.Load<V>(residual + j, count);
        if (accumulates) y += VectorTail.Load<V>(c + j, count);
        VectorTail.Store(y, c + j, count);
    }
}
