using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Where the tiles of a product or convolution go. Sums gather where they are wanted in the end if there is room for whole
/// vectors and nothing that is still needed, otherwise in scratch. The microkernel adds the bias, and the residual if no
/// activation stands between; all else happens once the sums are complete.
/// </summary>
internal unsafe struct GemmOutput
{
    private readonly float* _c;
    private readonly float* _sums;
    private readonly nint _stride;
    private readonly int _columns;
    private readonly bool _linear;
    private Epilogue _epilogue;

    /// <summary>A result of <paramref name="columns"/> columns.</summary>
    public GemmOutput(float* c, nint stride, int columns, in Epilogue epilogue)
    {
        _c = c;
        _stride = stride;
        _columns = columns;
        _epilogue = epilogue;
        if (epilogue.Accumulate && epilogue.Residual == null)
        {
            _epilogue.Residual = c;
            _epilogue.ResidualStride = stride;
            _epilogue.Accumulate = false;
        }
        _linear = epilogue.Activation == Activation.None && epilogue.PreActivation == null && !_epilogue.Accumulate;
        bool readsOld = _epilogue.Accumulate || _epilogue.Residual == c;
        _sums = epilogue.PreActivation != null ? epilogue.PreActivation : readsOld ? null : c;
    }

    /// <summary>What becomes of the sums, in words for a <see cref="KernelProfile"/>.</summary>
    public readonly string Description => string.Concat(
        _epilogue.Activation == Activation.None ? "" : ", " + _epilogue.Activation.ToString().ToLowerInvariant(),
        _epilogue.Residual == null ? "" : ", residual",
        _epilogue.Accumulate ? ", accumulate" : "");

    /// <summary>Matrices of the result's size that are read or written.</summary>
    public readonly int Passes =>
        1 + (_epilogue.Residual == null ? 0 : 1) + (_epilogue.Accumulate ? 1 : 0) + (_epilogue.PreActivation == null ? 0 : 1);

    /// <summary>
    /// Sets the destination and the addend of a tile at (<paramref name="row"/>, <paramref name="column"/>).
    /// </summary>
    /// <param name="job">The tile.</param>
    /// <param name="row">The tile's first row in the result.</param>
    /// <param name="column">The tile's first column in the result.</param>
    /// <param name="width">The columns of the microkernel.</param>
    /// <param name="scratch">Room for the tile's sums, <paramref name="width"/> per row, if they cannot gather in the result.</param>
    /// <param name="first">Whether these are the tile's first sums; further ones are added to them.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Place(ref TileJob job, nint row, int column, int width, float* scratch, bool first)
    {
        bool whole = column + width <= _columns, inPlace = whole && _sums != null;
        job.C = inPlace ? _sums + (row * _stride) + column : scratch;
        job.CRowStride = inPlace ? _stride : width;
        if (first)
        {
            job.Addend = whole && _epilogue.Bias != null ? _epilogue.Bias + column : null;
            job.AddendRowStride = 0;
        }
        else
        {
            job.Addend = job.C;
            job.AddendRowStride = job.CRowStride;
        }
    }

    /// <summary>
    /// After <see cref="Place"/>, for the call that completes a tile's sums: lets it add the residual and store the result
    /// if that is all there is to do. What will be read and written is called for, and comes while the tile is computed.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void PlaceLast(ref TileJob job, nint row, int rows, int column, int width)
    {
        float* c = _c + (row * _stride) + column;
        if (_epilogue.Residual == null || !_linear) Prefetch(c, _stride, rows, width);
        if (_epilogue.Residual == null) return;
        float* residual = _epilogue.Residual + (row * _epilogue.ResidualStride) + column;
        Prefetch(residual, _epilogue.ResidualStride, rows, width);
        if (!_linear || column + width > _columns) return;
        job.C = c;
        job.CRowStride = _stride;
        job.Residual = residual;
        job.ResidualRowStride = _epilogue.ResidualStride;
    }

    /// <summary>Calls for the places of a rectangle of results.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Prefetch(nint row, int rows, int column, int width) =>
        Prefetch(_c + (row * _stride) + column, _stride, rows, width);

    /// <summary>Finishes a tile whose sums are complete.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Finish<V>(ref readonly TileJob job, nint row, int rows, int column)
        where V : struct, ISimd<V>
    {
        bool whole = column + GemmTile.PanelWidth<V>() <= _columns;
        if (whole && _linear && (_epilogue.Residual == null || job.Residual != null)) return;
        Finish<V>(job.C, job.CRowStride, row, rows, column, GemmTile.PanelWidth<V>(), biased: whole);
    }

    /// <summary>Finishes a rectangle of complete sums of at most <paramref name="width"/> columns.</summary>
    /// <param name="sums">The first sum.</param>
    /// <param name="sumStride">From a row of sums to the next.</param>
    /// <param name="row">The rectangle's first row in the result.</param>
    /// <param name="rows">The rectangle's height.</param>
    /// <param name="column">The rectangle's first column in the result.</param>
    /// <param name="width">The rectangle's width; columns that the result does not have are left out.</param>
    /// <param name="biased">Whether the sums hold the bias already.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Finish<V>(float* sums, nint sumStride, nint row, int rows, int column, int width, bool biased = false)
        where V : struct, ISimd<V>
    {
        SumTile tile = new()
        {
            Sums = sums,
            SumStride = sumStride,
            C = _c,
            CStride = _stride,
            Row = row,
            Column = column,
            Rows = rows,
            Columns = Math.Min(width, _columns - column),
            Biased = biased,
        };
        GemmEpilogue.Apply<V>(in _epilogue, in tile);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(float* tile, nint stride, int rows, int width)
    {
        if (!Sse.IsSupported) return;
        for (int i = 0; i < rows; i++, tile += stride)
        {
            Sse.Prefetch0(tile);
            Sse.Prefetch0(tile + (width / 2));
        }
    }
}
