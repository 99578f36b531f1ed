using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Where the tiles of a product or convolution go. Sums gather in the result itself where it has room for whole vectors and
/// holds nothing that is still needed, otherwise in scratch; a bias or the old values alone are added by the microkernel,
/// all else once the sums are complete.
/// </summary>
internal unsafe struct GemmOutput
{
    private readonly float* _c;
    private readonly nint _stride;
    private readonly int _columns;
    private readonly bool _plain;
    private readonly bool _inPlace;
    private Epilogue _epilogue;

    /// <summary>A result of <paramref name="columns"/> columns.</summary>
    public GemmOutput(float* c, nint stride, int columns, in Epilogue epilogue)
    {
        _c = c;
        _stride = stride;
        _columns = columns;
        _epilogue = epilogue;
        _plain = epilogue.Activation == Activation.None && epilogue.Residual == null && epilogue.PreActivation == null
            && (epilogue.Bias == null || !epilogue.Accumulate);
        _inPlace = _plain || (!epilogue.Accumulate && epilogue.Residual != c);
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
        bool whole = column + width <= _columns, inPlace = whole && _inPlace;
        job.C = inPlace ? _c + (row * _stride) + column : scratch;
        job.CRowStride = inPlace ? _stride : width;
        if (!first || (whole && _plain && _epilogue.Accumulate))
        {
            job.Addend = job.C;
            job.AddendRowStride = job.CRowStride;
        }
        else
        {
            job.Addend = whole && _plain && _epilogue.Bias != null ? _epilogue.Bias + column : null;
            job.AddendRowStride = 0;
        }
    }

    /// <summary>Calls for the residual of a tile, which then comes while the tile is still being computed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Prefetch(nint row, int rows, int column, int width)
    {
        if (_epilogue.Residual == null || !Sse.IsSupported) return;
        float* residual = _epilogue.Residual + (row * _epilogue.ResidualStride) + column;
        for (int i = 0; i < rows; i++, residual += _epilogue.ResidualStride)
        {
            Sse.Prefetch0(residual);
            Sse.Prefetch0(residual + (width / 2));
        }
    }

    /// <summary>Finishes a tile whose sums are complete.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Finish<V>(ref readonly TileJob job, nint row, int rows, int column)
        where V : struct, ISimd<V>
    {
        if (_plain && column + GemmTile.PanelWidth<V>() <= _columns) return;
        Finish<V>(job.C, job.CRowStride, row, rows, column, GemmTile.PanelWidth<V>());
    }

    /// <summary>Finishes a rectangle of complete sums of at most <paramref name="width"/> columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Finish<V>(float* sums, nint sumStride, nint row, int rows, int column, int width)
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
        };
        GemmEpilogue.Apply<V>(in _epilogue, in tile);
    }
}
