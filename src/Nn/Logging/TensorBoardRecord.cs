using System.Buffers.Binary;
using System.Numerics;
using Google.Protobuf;

namespace Lavt.Nn.Logging;

/// <summary>The bytes of TensorBoard's events, and the frame around each in a file.</summary>
internal static class TensorBoardRecord
{
    // Field numbers of event.proto and summary.proto.
    private const int WallTimeField = 1, StepField = 2, FileVersionField = 3, SummaryField = 5;
    private const int ValueField = 1;
    private const int TagField = 1, SimpleValueField = 2;

    /// <summary>The event that every file starts with.</summary>
    public static byte[] Header(double wallTime)
    {
        using MemoryStream bytes = new();
        using CodedOutputStream output = new(bytes);
        output.WriteTag(WallTimeField, WireFormat.WireType.Fixed64);
        output.WriteDouble(wallTime);
        output.WriteTag(FileVersionField, WireFormat.WireType.LengthDelimited);
        output.WriteString("brain.Event:2");
        output.Flush();
        return bytes.ToArray();
    }

    /// <summary>An event with one value of one curve.</summary>
    public static byte[] Scalar(double wallTime, long step, string tag, float value)
    {
        using MemoryStream bytes = new();
        using CodedOutputStream output = new(bytes);
        output.WriteTag(WallTimeField, WireFormat.WireType.Fixed64);
        output.WriteDouble(wallTime);
        output.WriteTag(StepField, WireFormat.WireType.Varint);
        output.WriteInt64(step);
        byte[] entry = Value(tag, value);
        output.WriteTag(SummaryField, WireFormat.WireType.LengthDelimited);
        output.WriteLength(CodedOutputStream.ComputeTagSize(ValueField) + CodedOutputStream.ComputeLengthSize(entry.Length) + entry.Length);
        output.WriteTag(ValueField, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(entry));
        output.Flush();
        return bytes.ToArray();
    }

    /// <summary>Writes length, its checksum, the bytes and theirs, in one piece.</summary>
    public static void Append(Stream file, ReadOnlySpan<byte> data)
    {
        byte[] frame = new byte[8 + 4 + data.Length + 4];
        BinaryPrimitives.WriteInt64LittleEndian(frame, data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(8), MaskedChecksum(frame.AsSpan(0, 8)));
        data.CopyTo(frame.AsSpan(12));
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(12 + data.Length), MaskedChecksum(data));
        file.Write(frame);
    }

    /// <summary>The CRC-32C, turned and shifted because a checksum over data that hold their own checksum is weak.</summary>
    internal static uint MaskedChecksum(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        for (; data.Length >= 8; data = data[8..]) crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
        foreach (byte value in data) crc = BitOperations.Crc32C(crc, value);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }

    private static byte[] Value(string tag, float value)
    {
        using MemoryStream bytes = new();
        using CodedOutputStream output = new(bytes);
        output.WriteTag(TagField, WireFormat.WireType.LengthDelimited);
        output.WriteString(tag);
        output.WriteTag(SimpleValueField, WireFormat.WireType.Fixed32);
        output.WriteFloat(value);
        output.Flush();
        return bytes.ToArray();
    }
}
