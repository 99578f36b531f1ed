using System.Buffers.Binary;
using System.Collections;
using System.Text;

namespace Lavt.Demo;

/// <summary>Writes lists, dicts, whole numbers and strings as a Python pickle of protocol 2.</summary>
internal static class PlainPickle
{
    /// <summary>Writes a value: <see cref="string"/>, <see cref="int"/>, a dictionary with string keys, or a sequence.</summary>
    /// <exception cref="ArgumentException">The value is or holds something else.</exception>
    public static byte[] Write(object value)
    {
        using MemoryStream stream = new();
        stream.Write([0x80, 2]);
        Write(stream, value);
        stream.WriteByte((byte)'.');
        return stream.ToArray();
    }

    private static void Write(MemoryStream stream, object value)
    {
        switch (value)
        {
            case string text:
                byte[] bytes = Encoding.UTF8.GetBytes(text);
                WriteNumber(stream, 'X', bytes.Length);
                stream.Write(bytes);
                break;
            case int number:
                WriteNumber(stream, 'J', number);
                break;
            case IReadOnlyDictionary<string, object> entries:
                stream.Write("}("u8);
                foreach ((string key, object entry) in entries)
                {
                    Write(stream, key);
                    Write(stream, entry);
                }
                stream.WriteByte((byte)'u');
                break;
            case IEnumerable items:
                stream.Write("]("u8);
                foreach (object item in items) Write(stream, item);
                stream.WriteByte((byte)'e');
                break;
            default:
                throw new ArgumentException($"no pickle of {value.GetType().Name} is written here", nameof(value));
        }
    }

    private static void WriteNumber(MemoryStream stream, char opcode, int number)
    {
        Span<byte> bytes = stackalloc byte[5];
        bytes[0] = (byte)opcode;
        BinaryPrimitives.WriteInt32LittleEndian(bytes[1..], number);
        stream.Write(bytes);
    }
}
