using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Lavt.Imaging;

/// <summary>
/// Pillow's BILINEAR resampling with its tables and its intermediate picture kept for the next call of the same size. Not
/// thread-safe: one per thread.
/// </summary>
public sealed unsafe class BilinearResizer
{
    private const int Half = 1 << (ResampleTable.FractionBits - 1);
    private readonly ResampleTable _across = new();
    private readonly ResampleTable _down = new();
    private readonly Picture _narrow = new();

    /// <summary>Resamples <paramref name="from"/> to the size that <paramref name="into"/> has.</summary>
    /// <exception cref="ArgumentException">One of the pictures has no pixels.</exception>
    public void Run(Picture from, Picture into)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(into);
        if (from.Pixels.Length == 0 || into.Pixels.Length == 0)
            throw new ArgumentException($"cannot resize a picture of {from.Rows} x {from.Columns} pixels to {into.Rows} x {into.Columns}");
        bool across = from.Columns != into.Columns, down = from.Rows != into.Rows;
        Picture between = from;
        if (across)
        {
            between = down ? _narrow : into;
            between.Reshape(from.Rows, into.Columns);
            _across.Prepare(from.Columns, into.Columns);
            Across(from, between);
        }
        if (down)
        {
            _down.Prepare(from.Rows, into.Rows);
            Down(between, into);
        }
        else if (!across)
        {
            from.Pixels.CopyTo(into.Pixels);
        }
    }

    /// <summary>Along the rows: one vector of (red, green, blue, next red) in 32 bits for each source pixel.</summary>
    private void Across(Picture from, Picture into)
    {
        fixed (byte* source = from.Memory, target = into.Memory)
        {
            for (int y = 0; y < from.Rows; y++)
            {
                byte* row = source + (long)y * from.Columns * 3;
                byte* to = target + (long)y * into.Columns * 3;
                for (int x = 0; x < into.Columns; x++, to += 3) WritePixel(to, Weigh(row, x));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector128<int> Weigh(byte* row, int x)
    {
        Vector128<int> sum = Vector128.Create(Half);
        ReadOnlySpan<int> weights = _across.Weights(x);
        byte* pixel = row + _across.First(x) * 3;
        foreach (int weight in weights)
        {
            Vector128<byte> bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<uint>(pixel)).AsByte();
            Vector128<int> channels = Vector128.WidenLower(Vector128.WidenLower(bytes)).AsInt32();
            sum += channels * weight;
            pixel += 3;
        }
        return Vector128.ShiftRightArithmetic(sum, ResampleTable.FractionBits);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WritePixel(byte* to, Vector128<int> channels)
    {
        // Weights are not negative and sum up to 1 and a little: only the upper bound can be passed.
        channels = Vector128.Min(channels, Vector128.Create(255));
        to[0] = (byte)channels[0];
        to[1] = (byte)channels[1];
        to[2] = (byte)channels[2];
    }

    /// <summary>Along the columns: whole rows are weighed, 16 bytes at a time.</summary>
    private void Down(Picture from, Picture into)
    {
        int width = into.Columns * 3;
        fixed (byte* source = from.Memory, target = into.Memory)
        {
            for (int y = 0; y < into.Rows; y++)
            {
                ReadOnlySpan<int> weights = _down.Weights(y);
                byte* first = source + (long)_down.First(y) * width;
                byte* to = target + (long)y * width;
                int x = 0;
                for (; x <= width - 16; x += 16) Weigh16(first + x, width, weights).Store(to + x);
                for (; x < width; x++) to[x] = Weigh1(first + x, width, weights);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Weigh16(byte* column, int stride, ReadOnlySpan<int> weights)
    {
        Vector512<int> sum = Vector512.Create(Half);
        foreach (int weight in weights)
        {
            (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(Vector128.Load(column));
            (Vector256<uint> a, Vector256<uint> b) = Vector256.Widen(Vector256.Create(low, high));
            sum += Vector512.Create(a, b).AsInt32() * weight;
            column += stride;
        }
        sum = Vector512.Min(Vector512.ShiftRightArithmetic(sum, ResampleTable.FractionBits), Vector512.Create(255));
        Vector256<ushort> narrow = Vector256.Narrow(sum.GetLower(), sum.GetUpper()).AsUInt16();
        return Vector128.Narrow(narrow.GetLower(), narrow.GetUpper());
    }

    private static byte Weigh1(byte* column, int stride, ReadOnlySpan<int> weights)
    {
        int sum = Half;
        foreach (int weight in weights)
        {
            sum += *column * weight;
            column += stride;
        }
        return (byte)Math.Min(255, sum >> ResampleTable.FractionBits);
    }
}
