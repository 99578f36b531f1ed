using System.Runtime.InteropServices;
using Lavt.Imaging;

namespace Lavt.Data;

/// <summary>
/// A mask as run lengths down the columns, zeros first, the format of the COCO data sets.
/// </summary>
/// <remarks>
/// The compressed string and the rasteriser (<see cref="PolygonRasterizer"/>) follow maskApi of the COCO toolbox; its notice
/// stands in that file.
/// </remarks>
public sealed class Rle
{
    private readonly uint[] _counts;

    private Rle(int rows, int columns, uint[] counts)
    {
        (Rows, Columns) = (rows, columns);
        _counts = counts;
    }

    /// <summary>The height in pixels.</summary>
    public int Rows { get; }

    /// <summary>The width in pixels.</summary>
    public int Columns { get; }

    /// <summary>The run lengths: zeros, ones, zeros, …, together at most rows × columns.</summary>
    public ReadOnlySpan<uint> Counts => _counts;

    /// <summary>A mask from its run lengths.</summary>
    /// <exception cref="FormatException">The runs are longer than the picture.</exception>
    public static Rle FromCounts(ReadOnlySpan<uint> counts, int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ulong sum = 0;
        foreach (uint count in counts) sum += count;
        if (sum > (ulong)rows * (ulong)columns)
            throw new FormatException($"the run lengths add up to {sum} pixels, a mask of {rows} x {columns} has {(long)rows * columns}");
        return new Rle(rows, columns, counts.ToArray());
    }

    /// <summary>Reads the compressed string of COCO: 5 bits a character, run lengths less those of two runs before.</summary>
    /// <exception cref="FormatException">The text has a character outside 0 … o, ends within a number, or does not fit the size.</exception>
    public static Rle Parse(ReadOnlySpan<char> text, int rows, int columns)
    {
        List<uint> counts = [];
        for (int i = 0; i < text.Length;)
        {
            long value = ReadNumber(text, ref i);
            if (counts.Count > 2) value += counts[^2];
            if (value is < 0 or > uint.MaxValue) throw new FormatException($"run {counts.Count} of the mask has a length of {value}");
            counts.Add((uint)value);
        }
        return FromCounts(CollectionsMarshal.AsSpan(counts), rows, columns);
    }

    /// <summary>The number of ones.</summary>
    public long Area()
    {
        long area = 0;
        for (int i = 1; i < _counts.Length; i += 2) area += _counts[i];
        return area;
    }

    /// <summary>The mask of zeros and ones.</summary>
    public Mask Decode()
    {
        Mask mask = new(Rows, Columns);
        AddTo(mask);
        return mask;
    }

    /// <summary>Adds 1 to each pixel of <paramref name="sums"/> that this mask covers, at most up to 255.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public void AddTo(Mask sums)
    {
        ArgumentNullException.ThrowIfNull(sums);
        if (sums.Rows != Rows || sums.Columns != Columns)
            throw new ArgumentException($"a mask of {Rows} x {Columns} cannot be added to one of {sums.Rows} x {sums.Columns}", nameof(sums));
        Span<byte> pixels = sums.Pixels;
        long position = 0;
        for (int i = 0; i + 1 < _counts.Length; i += 2)
        {
            position += _counts[i];
            for (long end = position + _counts[i + 1]; position < end; position++)
            {
                ref byte pixel = ref pixels[(int)(position % Rows) * Columns + (int)(position / Rows)];
                if (pixel < 255) pixel++;
            }
        }
    }

    /// <summary>The compressed string of COCO.</summary>
    public override string ToString()
    {
        List<char> text = new(_counts.Length * 2);
        for (int i = 0; i < _counts.Length; i++)
        {
            long value = _counts[i];
            if (i > 2) value -= _counts[i - 2];
            bool more = true;
            while (more)
            {
                int digit = (int)(value & 0x1F);
                value >>= 5;
                more = (digit & 0x10) != 0 ? value != -1 : value != 0;
                text.Add((char)((more ? digit | 0x20 : digit) + 48));
            }
        }
        return new string(CollectionsMarshal.AsSpan(text));
    }

    private static long ReadNumber(ReadOnlySpan<char> text, ref int position)
    {
        long value = 0;
        for (int shift = 0; shift < 60; shift += 5)
        {
            if (position >= text.Length) throw new FormatException("the compressed mask ends within a number");
            int digit = text[position] - 48;
            if (digit is < 0 or > 63) throw new FormatException($"the compressed mask has the character '{text[position]}' at place {position}; only 0 to o occur");
            position++;
            value |= (long)(digit & 0x1F) << shift;
            if ((digit & 0x20) == 0) return (digit & 0x10) != 0 ? value | -1L << (shift + 5) : value;
        }
        throw new FormatException($"the compressed mask has a number of more than 60 bits before place {position}");
    }
}
