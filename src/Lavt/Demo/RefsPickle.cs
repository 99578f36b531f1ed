using System.Text;

namespace Lavt.Demo;

/// <summary>Writes lists, dictionaries, texts and numbers as a Python pickle of protocol 2, the form of REFER's <c>refs(…).p</c>.</summary>
internal static class RefsPickle
{
    /// <summary>The pickle of a list.</summary>
    public static byte[] Write(List<object> root)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write([0x80, 2]);
        WriteValue(writer, root);
        writer.Write((byte)'.');
        writer.Flush();
        return stream.ToArray();
    }

    private static void WriteValue(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case int number:
                writer.Write((byte)'J');
                writer.Write(number);
                break;
            case string text:
                byte[] bytes = Encoding.UTF8.GetBytes(text);
                writer.Write((byte)'X');
                writer.Write(bytes.Length);
                writer.Write(bytes);
                break;
            case List<object> list:
                writer.Write("]("u8);
                foreach (object item in list)
                    WriteValue(writer, item);
                writer.Write((byte)'e');
                break;
            case Dictionary<string, object> entries:
                writer.Write("}("u8);
                foreach ((string key, object item) in entries)
                {
                    WriteValue(writer, key);
                    WriteValue(writer, item);
                }
                writer.Write((byte)'u');
                break;
            default:
                throw new ArgumentException($"a pickle of {value.GetType()} is not needed for references", nameof(value));
        }
    }
}
