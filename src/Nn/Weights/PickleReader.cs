using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Lavt.Nn.Weights;

/// <summary>Reads the arguments of pickle opcodes from bytes, checking every length against what is there.</summary>
internal ref struct PickleReader
{
    // Parsing decimal digits takes quadratic time; Python has the same limit.
    private const int MaxDigits = 4300;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private readonly ReadOnlySpan<byte> _data;
    private readonly string _name;

    public PickleReader(ReadOnlySpan<byte> data, string name)
    {
        _data = data;
        _name = name;
    }

    /// <summary>The offset of the next byte.</summary>
    public int Position { get; private set; }

    public readonly PickleException Error(string problem) => new(_name, Position, problem);

    public byte Byte()
    {
        if (Position >= _data.Length) throw Truncated(1);
        return _data[Position++];
    }

    public int UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public double BigEndianDouble() => BinaryPrimitives.ReadDoubleBigEndian(Take(8));

    /// <summary>A length of 1, 4 or 8 bytes and that many bytes.</summary>
    public ReadOnlySpan<byte> Counted(int lengthBytes)
    {
        ulong length = lengthBytes switch
        {
            1 => Byte(),
            4 => UInt32(),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(Take(8)),
        };
        return Take(length);
    }

    /// <summary>The announced size of a frame; frames only help buffering, so the size is checked and forgotten.</summary>
    public void Frame()
    {
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
        if (length > (ulong)(_data.Length - Position)) throw Truncated(length);
    }

    /// <summary>The bytes up to the next line feed, which is skipped.</summary>
    public ReadOnlySpan<byte> Line()
    {
        ReadOnlySpan<byte> rest = _data[Position..];
        int end = rest.IndexOf((byte)'\n');
        if (end < 0) throw Truncated((ulong)rest.Length + 1);
        Position += end + 1;
        return rest[..end];
    }

    /// <summary>A line that holds a number of the memo.</summary>
    public long IndexLine()
    {
        ReadOnlySpan<byte> line = Line();
        return long.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out long index)
            ? index
            : throw Error($"'{Encoding.Latin1.GetString(line)}' is no memo number; the file is damaged");
    }

    /// <summary>A line that holds a whole number, or one of the booleans 00 and 01 of protocol 0.</summary>
    public object IntLine()
    {
        ReadOnlySpan<byte> line = Line();
        if (line.SequenceEqual("00"u8)) return false;
        if (line.SequenceEqual("01"u8)) return true;
        return Decimal(line);
    }

    /// <summary>A line that holds a whole number followed by L.</summary>
    public object LongLine()
    {
        ReadOnlySpan<byte> line = Line();
        return Decimal(line.EndsWith("L"u8) ? line[..^1] : line);
    }

    /// <summary>A whole number in little-endian two's complement.</summary>
    public static object Integer(ReadOnlySpan<byte> bytes) => Narrow(new BigInteger(bytes));

    /// <summary>A line that holds a float as Python's <c>repr</c> writes it.</summary>
    public double FloatLine()
    {
        ReadOnlySpan<byte> line = Line();
        if (line.SequenceEqual("inf"u8)) return double.PositiveInfinity;
        if (line.SequenceEqual("-inf"u8)) return double.NegativeInfinity;
        if (line.SequenceEqual("nan"u8)) return double.NaN;
        return double.TryParse(line, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            ? value
            : throw Error("a line that should hold a float does not; the file is damaged");
    }

    /// <summary>UTF-8 as pickles store text.</summary>
    public readonly string Utf8(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Error("a text is not valid UTF-8; the file is damaged");
        }
    }

    /// <summary>A byte string of Python 2: UTF-8 where it is valid, else Latin-1.</summary>
    public static string OldString(ReadOnlySpan<byte> bytes) =>
        System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : Encoding.Latin1.GetString(bytes);

    public ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)(_data.Length - Position)) throw Truncated(count);
        ReadOnlySpan<byte> taken = _data.Slice(Position, (int)count);
        Position += (int)count;
        return taken;
    }

    private static object Narrow(BigInteger value) => value >= long.MinValue && value <= long.MaxValue ? (object)(long)value : value;

    private readonly PickleException Truncated(ulong needed) =>
        new(_name, Position, $"the data end where {needed} more bytes are needed; the file is cut off or damaged, get it again") { IsTruncation = true };

    private readonly object Decimal(ReadOnlySpan<byte> digits)
    {
        if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long small)) return small;
        if (digits.Length <= MaxDigits
            && BigInteger.TryParse(Encoding.Latin1.GetString(digits), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger large))
            return Narrow(large);
        throw Error($"a line that should hold a whole number of at most {MaxDigits} digits does not; the file is damaged");
    }
}
