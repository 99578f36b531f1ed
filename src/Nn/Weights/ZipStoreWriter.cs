using System.Text;

namespace Lavt.Nn.Weights;

/// <summary>
/// Writes a zip file of stored members in one pass, each member's first byte at a multiple of 64 as <c>torch.save</c> does,
/// so that files can be mapped into memory. Zip64 fields appear where 32 bits do not suffice.
/// </summary>
/// <remarks>Source: PKWARE APPNOTE 6.3.10.</remarks>
internal sealed class ZipStoreWriter
{
    private const int Alignment = 64;
    private const ushort PaddingId = 0x4246;
    private const ushort Zip64Id = 1;
    private const ushort Version = 45;

    // 1 January 1980, so that the same content gives the same file.
    private const ushort Date = 0x0021;

    private readonly Stream _output;
    private readonly long _limit;
    private readonly List<Member> _members = [];
    private long _position;

    /// <param name="output">Where the file goes; need not seek.</param>
    /// <param name="limit">The first size or place that needs zip64 fields; tests lower it.</param>
    public ZipStoreWriter(Stream output, long limit = uint.MaxValue)
    {
        _output = output;
        _limit = limit;
    }

    /// <summary>Adds a small member.</summary>
    public void Add(string name, ReadOnlySpan<byte> content)
    {
        Begin(name, content.Length, Crc32.Append(0, content));
        Write(content);
    }

    /// <summary>Starts a member; exactly <paramref name="length"/> bytes through <see cref="Write"/> must follow.</summary>
    public void Begin(string name, long length, uint crc)
    {
        Member member = new(Encoding.ASCII.GetBytes(name), length, crc, _position);
        _members.Add(member);
        bool wide = length >= _limit;
        int unpadded = 30 + member.Path.Length + (wide ? 20 : 0) + 4;
        int padding = (int)(-(_position + unpadded) & (Alignment - 1));
        using MemoryStream header = new();
        using BinaryWriter writer = new(header);
        writer.Write(0x04034b50);
        WriteCommon(writer, member, wide);
        writer.Write((ushort)((wide ? 20 : 0) + 4 + padding));
        writer.Write(member.Path);
        if (wide)
        {
            writer.Write(Zip64Id);
            writer.Write((ushort)16);
            writer.Write(length);
            writer.Write(length);
        }
        writer.Write(PaddingId);
        writer.Write((ushort)padding);
        writer.Write(Enumerable.Repeat((byte)'Z', padding).ToArray());
        Write(header.ToArray());
    }

    /// <summary>Writes bytes of the member that was begun last.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        _output.Write(bytes);
        _position += bytes.Length;
    }

    /// <summary>Writes the directory, which ends the file.</summary>
    public void Finish()
    {
        using MemoryStream directory = new();
        using BinaryWriter writer = new(directory);
        foreach (Member member in _members) WriteCentral(writer, member);
        long start = _position;
        long length = directory.Length;
        bool wide = start >= _limit || _members.Count >= ushort.MaxValue;
        if (wide) WriteEnd64(writer, start, length);
        writer.Write(0x06054b50);
        writer.Write(0);
        ushort count = wide ? ushort.MaxValue : (ushort)_members.Count;
        writer.Write(count);
        writer.Write(count);
        writer.Write(wide ? uint.MaxValue : (uint)length);
        writer.Write(wide ? uint.MaxValue : (uint)start);
        writer.Write((ushort)0);
        Write(directory.ToArray());
    }

    private void WriteCentral(BinaryWriter writer, Member member)
    {
        bool wide = member.Length >= _limit || member.Header >= _limit;
        writer.Write(0x02014b50);
        writer.Write(Version);
        WriteCommon(writer, member, wide);
        writer.Write((ushort)(wide ? 28 : 0));
        writer.Write((ushort)0);
        writer.Write((ushort)0);
        writer.Write((ushort)0);
        writer.Write(0);
        writer.Write(wide ? uint.MaxValue : (uint)member.Header);
        writer.Write(member.Path);
        if (!wide) return;
        writer.Write(Zip64Id);
        writer.Write((ushort)24);
        writer.Write(member.Length);
        writer.Write(member.Length);
        writer.Write(member.Header);
    }

    /// <summary>The fields that local and central headers share: from the version to the length of the name.</summary>
    private static void WriteCommon(BinaryWriter writer, Member member, bool wide)
    {
        uint size = wide ? uint.MaxValue : (uint)member.Length;
        writer.Write(Version);
        writer.Write((ushort)0);
        writer.Write((ushort)0);
        writer.Write((ushort)0);
        writer.Write(Date);
        writer.Write(member.Crc);
        writer.Write(size);
        writer.Write(size);
        writer.Write((ushort)member.Path.Length);
    }

    private void WriteEnd64(BinaryWriter writer, long start, long length)
    {
        long record = start + length;
        long count = _members.Count;
        writer.Write(0x06064b50);
        writer.Write(44L);
        writer.Write(Version);
        writer.Write(Version);
        writer.Write(0);
        writer.Write(0);
        writer.Write(count);
        writer.Write(count);
        writer.Write(length);
        writer.Write(start);
        writer.Write(0x07064b50);
        writer.Write(0);
        writer.Write(record);
        writer.Write(1);
    }

    /// <summary>A member already written.</summary>
    /// <param name="Path">Its name.</param>
    /// <param name="Length">Its bytes.</param>
    /// <param name="Crc">Its checksum.</param>
    /// <param name="Header">Where its local header stands.</param>
    private sealed record Member(byte[] Path, long Length, uint Crc, long Header);
}
