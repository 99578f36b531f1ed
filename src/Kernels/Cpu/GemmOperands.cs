namespace Lavt.Kernels.Cpu;

/// <summary>
/// A view of float32 numbers as a matrix: element (i, j) lies at <c>data[i · rowStride + j · columnStride]</c>. The
/// transpose of a view is the view with its strides swapped, so that products with transposed operands need no copies by
/// the caller.
/// </summary>
/// <param name="data">Element (0, 0).</param>
/// <param name="rowStride">Floats from a row to the next.</param>
/// <param name="columnStride">Floats from a column to the next.</param>
public readonly unsafe struct Matrix(float* data, nint rowStride, nint columnStride)
{
    /// <summary>Element (0, 0).</summary>
    public float* Data { get; } = data;

    /// <summary>Floats from a row to the next.</summary>
    public nint RowStride { get; } = rowStride;

    /// <summary>Floats from a column to the next.</summary>
    public nint ColumnStride { get; } = columnStride;

    /// <summary>The address of element (<paramref name="row"/>, <paramref name="column"/>).</summary>
    public float* At(nint row, nint column) => Data + (row * RowStride) + (column * ColumnStride);
}

/// <summary>
/// What becomes of a product S before it is stored: C = activation(S + bias) + residual (+ old C). The default value
/// stores S itself.
/// </summary>
public unsafe struct Epilogue
{
    /// <summary>One number per column of C; null: none.</summary>
    public float* Bias;

    /// <summary>Applied after the bias.</summary>
    public Activation Activation;

    /// <summary>Added after the activation, of C's shape; may be C itself; null: none.</summary>
    public float* Residual;

    /// <summary>Floats from a row of <see cref="Residual"/> to the next.</summary>
    public nint ResidualStride;

    /// <summary>Adds to what C holds instead of overwriting it.</summary>
    public bool Accumulate;

    /// <summary>Receives S + bias, which the gradient of the activation needs; row stride that of C; null: not wanted.</summary>
    public float* PreActivation;
}
