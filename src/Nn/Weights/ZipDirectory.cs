using System.Buffers.Binary;
using System.Text;

namespace Lavt.Nn.Weights;

/// <summary>A stored (not compressed) member of a zip file.</summary>
/// <param name="Name">The path within the zip file.</param>
/// <param name="Offset">Where its first byte lies in the file.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="Crc">The CRC-32 that the zip file gives for it.</param>
internal sealed record ZipEntry(string Name, long Offset, long Length, uint Crc);

/// <summary>
/// The members of a zip file as PyTorch writes it: stored, with zip64 fields where files are large. Everything is checked
/// that a reader relies on: lengths, signatures, that names are unique and that no two members share bytes.
/// </summary>
/// <remarks>
/// Source: PKWARE APPNOTE 6.3.10. Not <c>ZipArchive</c>: that checks no CRC and does not tell where a member lies, which
/// reading straight into tensors needs.
/// </remarks>
internal sealed class ZipDirectory
{
    private const uint EndSignature = 0x06054b50;
    private const uint Locator64Signature = 0x07064b50;
    private const uint End64Signature = 0x06064b50;
    private const uint CentralSignature = 0x02014b50;
    private const uint LocalSignature = 0x04034b50;
    private const int EndSize = 22;
    private const int CentralSize = 46;
    private const int LocalSize = 30;
    private const int MaxDirectory = 256 << 20;

    private readonly Dictionary<string, ZipEntry> _entries = new(StringComparer.Ordinal);
    private readonly InputFile _file;

    private ZipDirectory(InputFile file) => _file = file;

    /// <summary>All members.</summary>
    public IReadOnlyDictionary<string, ZipEntry> Entries => _entries;

    /// <summary>Reads the directory at the end of a zip file.</summary>
    /// <exception cref="WeightFileException">The file is damaged or uses a feature that weight files do not have.</exception>
    public static ZipDirectory Read(InputFile file)
    {
        ZipDirectory zip = new(file);
        (long offset, long length, long count) = zip.FindDirectory();
        if (offset < 0 || length < 0 || length > MaxDirectory || offset > file.Length - length || count > length / CentralSize)
            throw zip.Damaged("the zip directory lies outside of the file");
        byte[] directory = new byte[length];
        file.Read(directory, offset);
        zip.ReadEntries(directory, count, offset);
        zip.RefuseOverlaps();
        return zip;
    }

    /// <summary>Reads a member whole and checks it.</summary>
    /// <exception cref="WeightFileException">It is longer than <paramref name="limit"/> or damaged.</exception>
    public unsafe byte[] ReadAll(ZipEntry entry, long limit)
    {
        if (entry.Length > limit) throw _file.Error($"'{entry.Name}' has {entry.Length} bytes, at most {limit} can be read");
        byte[] bytes = new byte[entry.Length];
        fixed (byte* target = bytes)
            if (_file.ReadWithChecksum(target, bytes.Length, entry.Offset) != entry.Crc) throw _file.WrongChecksum(entry.Name);
        return bytes;
    }

    private WeightFileException Damaged(string what) => _file.Error($"{what}; the file is cut off or damaged, get it again");

    private (long Offset, long Length, long Count) FindDirectory()
    {
        int tailLength = (int)Math.Min(_file.Length, EndSize + ushort.MaxValue);
        byte[] tail = new byte[tailLength];
        _file.Read(tail, _file.Length - tailLength);
        for (int at = tailLength - EndSize; at >= 0; at--)
        {
            ReadOnlySpan<byte> end = tail.AsSpan(at);
            if (BinaryPrimitives.ReadUInt32LittleEndian(end) != EndSignature) continue;
            if (at + EndSize + BinaryPrimitives.ReadUInt16LittleEndian(end[20..]) != tailLength) continue;
            return FindDirectory64(_file.Length - tailLength + at)
                ?? (BinaryPrimitives.ReadUInt32LittleEndian(end[16..]), BinaryPrimitives.ReadUInt32LittleEndian(end[12..]), BinaryPrimitives.ReadUInt16LittleEndian(end[10..]));
        }
        throw Damaged("the zip directory at the end of the file is missing");
    }

    private (long Offset, long Length, long Count)? FindDirectory64(long end)
    {
        const int LocatorSize = 20, End64Size = 56;
        if (end < LocatorSize) return null;
        Span<byte> record = stackalloc byte[End64Size];
        _file.Read(record[..LocatorSize], end - LocatorSize);
        if (BinaryPrimitives.ReadUInt32LittleEndian(record) != Locator64Signature) return null;
        long at = BinaryPrimitives.ReadInt64LittleEndian(record[8..]);
        if (at < 0 || at > end - LocatorSize - End64Size) throw Damaged("the zip64 record lies outside of the file");
        _file.Read(record, at);
        if (BinaryPrimitives.ReadUInt32LittleEndian(record) != End64Signature) throw Damaged("the zip64 record is missing");
        return (BinaryPrimitives.ReadInt64LittleEndian(record[48..]), BinaryPrimitives.ReadInt64LittleEndian(record[40..]), BinaryPrimitives.ReadInt64LittleEndian(record[32..]));
    }

    private void ReadEntries(ReadOnlySpan<byte> directory, long count, long directoryOffset)
    {
        for (; count > 0; count--)
        {
            if (directory.Length < CentralSize || BinaryPrimitives.ReadUInt32LittleEndian(directory) != CentralSignature)
                throw Damaged("the zip directory has fewer members than it says");
            int nameLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[28..]);
            int extraLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[30..]);
            int total = CentralSize + nameLength + extraLength + BinaryPrimitives.ReadUInt16LittleEndian(directory[32..]);
            if (directory.Length < total) throw Damaged("the zip directory ends within a member");
            ZipEntry entry = Entry(directory[..total], nameLength, extraLength, directoryOffset);
            if (!_entries.TryAdd(entry.Name, entry)) throw Damaged($"the zip directory lists '{entry.Name}' twice");
            directory = directory[total..];
        }
    }

    private ZipEntry Entry(ReadOnlySpan<byte> central, int nameLength, int extraLength, long directoryOffset)
    {
        string name = Encoding.UTF8.GetString(central.Slice(CentralSize, nameLength));
        bool encrypted = (BinaryPrimitives.ReadUInt16LittleEndian(central[8..]) & 1) != 0;
        int method = BinaryPrimitives.ReadUInt16LittleEndian(central[10..]);
        if (encrypted || method != 0)
            throw _file.Error($"'{name}' is {(encrypted ? "encrypted" : "compressed")}; PyTorch stores its members plainly, pack the file again without compression (zip -0)");
        long stored = BinaryPrimitives.ReadUInt32LittleEndian(central[20..]);
        long length = BinaryPrimitives.ReadUInt32LittleEndian(central[24..]);
        long header = BinaryPrimitives.ReadUInt32LittleEndian(central[42..]);
        ReadExtra64(central.Slice(CentralSize + nameLength, extraLength), ref length, ref stored, ref header);
        if (stored != length) throw Damaged($"the sizes of '{name}' contradict each other");
        if (header < 0 || header > directoryOffset - LocalSize) throw Damaged($"'{name}' lies outside of the file");
        Span<byte> local = stackalloc byte[LocalSize];
        _file.Read(local, header);
        if (BinaryPrimitives.ReadUInt32LittleEndian(local) != LocalSignature) throw Damaged($"the header of '{name}' is missing");
        long offset = header + LocalSize + BinaryPrimitives.ReadUInt16LittleEndian(local[26..]) + BinaryPrimitives.ReadUInt16LittleEndian(local[28..]);
        if (length < 0 || offset > directoryOffset || length > directoryOffset - offset) throw Damaged($"'{name}' lies outside of the file");
        return new ZipEntry(name, offset, length, BinaryPrimitives.ReadUInt32LittleEndian(central[16..]));
    }

    /// <summary>Replaces the sizes and the place that did not fit 32 bits.</summary>
    private void ReadExtra64(ReadOnlySpan<byte> extra, ref long length, ref long stored, ref long header)
    {
        while (extra.Length >= 4)
        {
            int id = BinaryPrimitives.ReadUInt16LittleEndian(extra);
            int size = BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]);
            if (extra.Length < 4 + size) throw Damaged("an extra field of the zip directory is cut off");
            ReadOnlySpan<byte> field = extra.Slice(4, size);
            extra = extra[(4 + size)..];
            if (id != 1) continue;
            Take(ref field, ref length);
            Take(ref field, ref stored);
            Take(ref field, ref header);
        }

        void Take(ref ReadOnlySpan<byte> field, ref long value)
        {
            if (value != uint.MaxValue) return;
            if (field.Length < 8) throw Damaged("a zip64 field of the zip directory is cut off");
            value = BinaryPrimitives.ReadInt64LittleEndian(field);
            field = field[8..];
        }
    }

    /// <summary>Members that share bytes would let a small file ask for unbounded memory.</summary>
    private void RefuseOverlaps()
    {
        long end = 0;
        foreach (ZipEntry entry in _entries.Values.OrderBy(entry => entry.Offset).ThenBy(entry => entry.Length))
        {
            if (entry.Offset < end) throw Damaged($"'{entry.Name}' shares bytes with another member of the zip file");
            end = entry.Offset + entry.Length;
        }
    }
}
