using System.Globalization;
using System.Text;

namespace Lavt.Nn.Weights;

/// <summary>The two text forms of protocol 0: quoted byte strings and raw-unicode-escape text.</summary>
internal static class PickleText
{
    /// <summary>The bytes of a string in quotes as Python 2's <c>repr</c> writes it; null if it is malformed.</summary>
    public static byte[]? Unquote(ReadOnlySpan<byte> line)
    {
        if (line.Length < 2 || line[0] != line[^1] || line[0] is not ((byte)'\'' or (byte)'"')) return null;
        line = line[1..^1];
        byte[] bytes = new byte[line.Length];
        int length = 0;
        for (int i = 0; i < line.Length; i++)
        {
            if (line[i] != '\\')
            {
                bytes[length++] = line[i];
                continue;
            }
            int value = Escape(line[(i + 1)..], out int used);
            if (value < 0) return null;
            bytes[length++] = (byte)value;
            i += used;
        }
        return bytes[..length];
    }

    /// <summary>Latin-1 with \uXXXX and \UXXXXXXXX escapes; null if an escape is malformed.</summary>
    public static string? RawUnicodeEscape(ReadOnlySpan<byte> line)
    {
        StringBuilder text = new(line.Length);
        for (int i = 0; i < line.Length; i++)
        {
            int digits = i + 1 < line.Length && line[i] == '\\' ? line[i + 1] switch { (byte)'u' => 4, (byte)'U' => 8, _ => 0 } : 0;
            if (digits == 0)
            {
                text.Append((char)line[i]);
                continue;
            }
            if (i + 2 + digits > line.Length || !Hex(line.Slice(i + 2, digits), out uint value) || value > 0x10FFFF) return null;
            if (value < 0x10000) text.Append((char)value);
            else text.Append(char.ConvertFromUtf32((int)value));
            i += 1 + digits;
        }
        return text.ToString();
    }

    /// <summary>The byte that an escape stands for, after the backslash; -1 if it is none.</summary>
    private static int Escape(ReadOnlySpan<byte> rest, out int used)
    {
        used = 1;
        if (rest.IsEmpty) return -1;
        switch ((char)rest[0])
        {
            case 'n': return '\n';
            case 't': return '\t';
            case 'r': return '\r';
            case 'a': return '\a';
            case 'b': return '\b';
            case 'f': return '\f';
            case 'v': return '\v';
            case '\\' or '\'' or '"': return rest[0];
            case 'x':
                used = 3;
                return rest.Length >= 3 && Hex(rest[1..3], out uint value) ? (int)value : -1;
            case >= '0' and <= '7':
                int octal = 0;
                for (used = 0; used < 3 && used < rest.Length && rest[used] is >= (byte)'0' and <= (byte)'7'; used++)
                    octal = octal * 8 + rest[used] - '0';
                return octal & 255;
            default: return -1;
        }
    }

    private static bool Hex(ReadOnlySpan<byte> digits, out uint value) =>
        uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
}
