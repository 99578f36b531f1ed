using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Lavt.Training;

/// <summary>
/// A file of scalars that TensorBoard shows: TFRecord frames (length, masked CRC-32C, data, masked CRC-32C) around
/// <c>Event</c> messages in protocol-buffer encoding.
/// </summary>
public sealed class EventFile : IDisposable
{
    private readonly FileStream _file;
    private readonly MemoryStream _event = new();
    private readonly MemoryStream _inner = new();

    /// <summary>Makes a new file in a folder; TensorBoard reads all files of a folder as one run.</summary>
    public EventFile(string folder)
    {
        Directory.CreateDirectory(folder);
        string name = string.Create(CultureInfo.InvariantCulture, $"events.out.tfevents.{DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()}.lavt");
        _file = new FileStream(Path.Combine(folder, name), FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        WriteEvent(0, () => WriteText(_event, 3, "brain.Event:2"));
    }

    /// <summary>The file's path.</summary>
    public string FilePath => _file.Name;

    /// <summary>Adds a point to a curve.</summary>
    /// <param name="tag">The curve's name, for example <c>train/loss</c>.</param>
    /// <param name="step">Where on the curve.</param>
    /// <param name="value">The value.</param>
    public void Add(string tag, long step, double value) => WriteEvent(step, () =>
    {
        _inner.SetLength(0);
        WriteText(_inner, 1, tag);
        WriteKey(_inner, 2, wireType: 5);
        Span<byte> number = stackalloc byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(number, (float)value);
        _inner.Write(number);
        // Event.summary (5) holds Summary.value (1), which holds the point.
        WriteKey(_event, 5, wireType: 2);
        WriteVarint(_event, (ulong)(1 + VarintLength((ulong)_inner.Length) + _inner.Length));
        WriteKey(_event, 1, wireType: 2);
        WriteVarint(_event, (ulong)_inner.Length);
        _inner.WriteTo(_event);
    });

    /// <summary>Hands everything to the system, so that a running TensorBoard sees it.</summary>
    public void Flush() => _file.Flush();

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void WriteEvent(long step, Action writeContent)
    {
        _event.SetLength(0);
        WriteKey(_event, 1, wireType: 1);
        Span<byte> time = stackalloc byte[sizeof(double)];
        BinaryPrimitives.WriteDoubleLittleEndian(time, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0);
        _event.Write(time);
        WriteKey(_event, 2, wireType: 0);
        WriteVarint(_event, (ulong)step);
        writeContent();
        WriteRecord(_event.GetBuffer().AsSpan(0, (int)_event.Length));
    }

    private void WriteRecord(ReadOnlySpan<byte> data)
    {
        Span<byte> header = stackalloc byte[12];
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], MaskedChecksum(header[..8]));
        Span<byte> footer = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(footer, MaskedChecksum(data));
        _file.Write(header);
        _file.Write(data);
        _file.Write(footer);
    }

    /// <summary>CRC-32C, rotated and shifted by a constant as TFRecord asks for, so that a checksum of checksums stays sound.</summary>
    internal static uint MaskedChecksum(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
            crc = BitOperations.Crc32C(crc, value);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }

    private static void WriteText(MemoryStream stream, int field, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        WriteKey(stream, field, wireType: 2);
        WriteVarint(stream, (ulong)bytes.Length);
        stream.Write(bytes);
    }

    private static void WriteKey(MemoryStream stream, int field, int wireType) => stream.WriteByte((byte)((field << 3) | wireType));

    private static void WriteVarint(MemoryStream stream, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            stream.WriteByte((byte)(value | 0x80));
        stream.WriteByte((byte)value);
    }

    private static int VarintLength(ulong value) => (BitOperations.Log2(value | 1) / 7) + 1;
}
