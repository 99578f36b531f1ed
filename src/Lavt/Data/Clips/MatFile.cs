using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Lavt.Data.Clips;

/// <summary>Reads an array of bytes of a Matlab file of version 5, the format of JHMDB's masks.</summary>
/// <remarks>Source: "MAT-File Format", The MathWorks. The first axis of an array moves fastest.</remarks>
internal static class MatFile
{
    private const int HeaderBytes = 128;
    private const int CompressedElement = 15;
    private const int MatrixElement = 14;
    private const int BytesElement = 2;
    private const int SignedBytesElement = 1;
    private const int MaxBytes = 1 << 30;

    /// <summary>Reads the sizes of the axes of an array, and its values if they are wanted.</summary>
    /// <param name="path">The file.</param>
    /// <param name="name">The array.</param>
    /// <param name="withValues">Whether the values are read; the sizes stand in front of them.</param>
    /// <param name="place">Whom it is read for, for error messages.</param>
    /// <exception cref="DataException">The file is missing or damaged, or has no such array of bytes.</exception>
    public static (int[] Shape, byte[] Values) Read(string path, string name, bool withValues, string place)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            Span<byte> header = stackalloc byte[HeaderBytes];
            file.ReadExactly(header);
            if (!header[126..].SequenceEqual("IM"u8)) throw new InvalidDataException("it is no Matlab file of version 5");
            while (file.Position < file.Length)
            {
                (int type, int length) = ReadTag(file, out _);
                long end = file.Position + length;
                if (Find(file, type, length, name, withValues) is { } found) return found;
                file.Position = end;
            }
            throw new InvalidDataException($"it has no '{name}'");
        }
        catch (Exception failure) when (failure is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            string text = failure is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : $"the file is cut off or damaged ({failure.Message})";
            throw new DataException(new DataProblem(path, place, text), "copy or extract the file again", failure);
        }
    }

    private static (int[] Shape, byte[] Values)? Find(Stream file, int type, int length, string name, bool withValues)
    {
        if (type == MatrixElement) return ReadMatrix(file, name, withValues);
        if (type != CompressedElement) return null;
        byte[] packed = new byte[length];
        file.ReadExactly(packed);
        using ZLibStream plain = new(new MemoryStream(packed), CompressionMode.Decompress);
        return ReadTag(plain, out _).Type == MatrixElement ? ReadMatrix(plain, name, withValues) : null;
    }

    /// <summary>Reads the flags, the sizes, the name and the values of an array; null if it has another name.</summary>
    private static (int[] Shape, byte[] Values)? ReadMatrix(Stream stream, string name, bool withValues)
    {
        ReadElement(stream);
        byte[] sides = ReadElement(stream).Bytes;
        int[] shape = new int[sides.Length / sizeof(int)];
        for (int i = 0; i < shape.Length; i++) shape[i] = BinaryPrimitives.ReadInt32LittleEndian(sides.AsSpan(i * sizeof(int)));
        if (Encoding.ASCII.GetString(ReadElement(stream).Bytes) != name) return null;
        if (!withValues) return (shape, []);
        (int type, byte[] values) = ReadElement(stream);
        if (type is not (BytesElement or SignedBytesElement) || values.Length != shape.Aggregate(1L, (product, side) => product * side))
            throw new InvalidDataException($"'{name}' is no array of {string.Join(" x ", shape)} bytes");
        return (shape, values);
    }

    private static (int Type, byte[] Bytes) ReadElement(Stream stream)
    {
        (int type, int length) = ReadTag(stream, out byte[]? small);
        if (small is not null) return (type, small);
        byte[] bytes = new byte[length];
        stream.ReadExactly(bytes);
        // Elements begin at multiples of eight bytes.
        Span<byte> gap = stackalloc byte[8];
        stream.ReadAtLeast(gap[..((8 - length % 8) % 8)], (8 - length % 8) % 8, throwOnEndOfStream: false);
        return (type, bytes);
    }

    /// <summary>The type and length of the next element; up to four bytes may stand within the tag.</summary>
    private static (int Type, int Length) ReadTag(Stream stream, out byte[]? small)
    {
        Span<byte> tag = stackalloc byte[8];
        stream.ReadExactly(tag);
        int first = BinaryPrimitives.ReadInt32LittleEndian(tag), length = first >>> 16;
        small = null;
        if (length is > 0 and <= 4)
        {
            small = tag.Slice(4, length).ToArray();
            return (first & 0xFFFF, length);
        }
        length = BinaryPrimitives.ReadInt32LittleEndian(tag[4..]);
        return length is >= 0 and <= MaxBytes ? (first, length) : throw new InvalidDataException($"an element has a length of {length}");
    }
}
