using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Lavt.Nn.Weights;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Nn;

/// <summary>Checkpoints made by hand: rare variants that must be read, and forgeries that must be refused.</summary>
public class PthForgedTests
{
    private static readonly byte[] SixFloats = MakeFloats(6, BinaryPrimitives.WriteSingleLittleEndian);

    [Theory]
    [InlineData("I0", "(I2\nI3\nt", "(I3\nI1\nt", new float[] { 0, 1, 2, 3, 4, 5 })]
    [InlineData("I1", "(I2\nI2\nt", "(I1\nI3\nt", new float[] { 1, 4, 2, 5 })]
    [InlineData("I5", "(I4\nt", "(I0\nt", new float[] { 5, 5, 5, 5 })]
    [InlineData("I6", "(I0\nI7\nt", "(I7\nI1\nt", new float[0])]
    [InlineData("I5", "(t", "(t", new float[] { 5 })]
    public void Views_reach_where_they_say(string offset, string size, string stride, float[] expected) =>
        Assert.Equal(expected, ((Tensor)ReadZip(TensorPickle("I6", offset, size, stride))!).ToArray<float>());

    [Theory]
    [InlineData("I6", "I1", "(I2\nI3\nt", "(I3\nI1\nt", "reaches beyond its storage of 6 elements")]
    [InlineData("I6", "I7", "(I0\nt", "(I1\nt", "reaches beyond")]
    [InlineData("I6", "I-1", "(I1\nt", "(I1\nt", "reaches beyond")]
    [InlineData("I6", "I0", "(I2\nt", "(I9223372036854775807\nt", "reaches beyond")]
    [InlineData("I6", "I0", "(I2147483647\nI2147483647\nI2147483647\nt", "(I0\nI0\nI0\nt", "too many elements")]
    [InlineData("I6", "I0", "(I2\nt", "(I-1\nt", "no number in range")]
    [InlineData("I6", "I0", "(I-2\nt", "(I1\nt", "no number in range")]
    [InlineData("I6", "I0", "(I2147483648\nt", "(I0\nt", "no number in range")]
    [InlineData("I6", "I0", "(I2\nI3\nt", "(I1\nt", "2 dimensions and 1 strides")]
    [InlineData("I5", "I0", "(I2\nt", "(I1\nt", "should have 5 elements of F32 (20 bytes), the file has 24")]
    [InlineData("I9999999999", "I0", "(I2\nt", "(I1\nt", "more than the file has bytes for")]
    [InlineData("I-6", "I0", "(I2\nt", "(I1\nt", "malformed")]
    public void Views_that_reach_elsewhere_are_refused(string count, string offset, string size, string stride, string expected) =>
        Assert.Contains(expected, Refused(() => ReadZip(TensorPickle(count, offset, size, stride))));

    [Theory]
    [InlineData("ComplexFloatStorage", "stored as torch.ComplexFloatStorage; float32, float64")]
    [InlineData("NoSuchStorage", "names 'torch.NoSuchStorage', which is not allowed")]
    public void Other_types_are_named(string storage, string expected) =>
        Assert.Contains(expected, Refused(() => ReadZip(TensorPickle("I6", "I0", "(I1\nt", "(I1\nt", storage))));

    [Theory]
    [InlineData("(S'module'\nNNNtQ.", "save its state_dict() instead")]
    [InlineData("(S'storage'\nNNNNtQ.", "reference to a storage is malformed")]
    [InlineData("ctorch._utils\n_rebuild_sparse_tensor\n(tR.", "a special kind (_rebuild_sparse_tensor)")]
    [InlineData("ctorch._utils\n_rebuild_tensor_v2\n(I1\ntR.", "none that PyTorch writes")]
    public void Other_things_in_place_of_tensors_are_named(string pickle, string expected) =>
        Assert.Contains(expected, Refused(() => ReadZip(Latin1(pickle))));

    [Fact]
    public void Numbers_with_the_most_significant_byte_first_are_turned()
    {
        byte[] data = MakeFloats(6, BinaryPrimitives.WriteSingleBigEndian);
        byte[] pickle = TensorPickle("I6", "I0", "(I6\nt", "(I1\nt");
        Tensor tensor = (Tensor)ReadZip(zip =>
        {
            zip.Add("x/data.pkl", pickle);
            zip.Add("x/byteorder", "big"u8);
            zip.Add("x/data/0", data);
        })!;
        Assert.Equal([0f, 1, 2, 3, 4, 5], tensor.ToArray<float>());
        Assert.Contains("byte order is 'none'", Refused(() => ReadZip(zip =>
        {
            zip.Add("x/data.pkl", pickle);
            zip.Add("x/byteorder", "none"u8);
        })));
    }

    [Fact]
    public void A_missing_or_second_part_is_named()
    {
        byte[] pickle = TensorPickle("I6", "I0", "(I6\nt", "(I1\nt");
        Assert.Contains("'x/data/0' is missing", Refused(() => ReadZip(zip => zip.Add("x/data.pkl", pickle))));
        Assert.Contains("no data.pkl", Refused(() => ReadZip(zip => zip.Add("x/other", pickle))));
        Assert.Contains("2 files data.pkl", Refused(() => ReadZip(zip =>
        {
            zip.Add("x/data.pkl", pickle);
            zip.Add("y/data.pkl", pickle);
        })));
        Assert.Contains("lists 'x/data.pkl' twice", Refused(() => ReadZip(zip =>
        {
            zip.Add("x/data.pkl", pickle);
            zip.Add("x/data.pkl", pickle);
        })));
    }

    [Fact]
    public void Members_that_share_bytes_are_refused()
    {
        using MemoryStream stream = new();
        ZipStoreWriter zip = new(stream);
        zip.Add("x/data.pkl", "N."u8);
        zip.Add("x/data/0", new byte[64]);
        zip.Add("x/data/1", new byte[64]);
        zip.Finish();
        byte[] bytes = stream.ToArray();
        // Let the directory's third entry point to where the second lies.
        int second = bytes.AsSpan().LastIndexOf("x/data/0"u8), third = bytes.AsSpan().LastIndexOf("x/data/1"u8);
        bytes.AsSpan(second - 4, 4).CopyTo(bytes.AsSpan(third - 4));
        Assert.Contains("shares bytes with another", Refused(() => ReadBytes(bytes)));
    }

    [Fact]
    public void Compressed_members_are_refused()
    {
        using MemoryStream stream = new();
        using (ZipArchive zip = new(stream, ZipArchiveMode.Create, leaveOpen: true))
        using (Stream entry = zip.CreateEntry("x/data.pkl").Open())
            entry.Write(new byte[1000]);
        Assert.Contains("'x/data.pkl' is compressed", Refused(() => ReadBytes(stream.ToArray())));
    }

    [Fact]
    public void Parts_of_storages_in_the_older_format_are_read()
    {
        byte[] file = LegacyFile("(S'part'\nI2\nI3\nt", SixFloats);
        Assert.Equal([3f, 4], ((Tensor)ReadBytes(file)!).ToArray<float>());
        Assert.Contains("part of storage 'k' lies outside", Refused(() => ReadBytes(LegacyFile("(S'part'\nI4\nI3\nt", SixFloats))));
    }

    [Fact]
    public void An_older_file_that_contradicts_itself_is_refused()
    {
        Assert.Contains("the file says 5", Refused(() => ReadBytes(LegacyFile("N", SixFloats, count: 5))));
        Assert.Contains("storage 'other' that no tensor uses", Refused(() => ReadBytes(LegacyFile("N", SixFloats, key: "other"))));
        Assert.Contains("ends within storage 'k'", Refused(() => ReadBytes(LegacyFile("N", SixFloats[..20]))));
    }

    /// <summary>A tensor of two elements from the second on, of storage "k" or a part of it.</summary>
    private static byte[] LegacyFile(string view, byte[] data, long count = 6, string key = "k")
    {
        using MemoryStream file = new();
        file.Write([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, (byte)'.']);
        file.Write(Latin1("I1001\n.}."));
        file.Write(Latin1($"ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'k'\nS'cpu'\nI6\n{view}tQI1\n(I2\nt(I1\nttR."));
        file.Write(Latin1($"(lS'{key}'\na."));
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, count);
        file.Write(length);
        file.Write(data);
        return file.ToArray();
    }

    private static byte[] TensorPickle(string count, string offset, string size, string stride, string storage = "FloatStorage") =>
        Latin1($"ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\n{storage}\nS'0'\nS'cpu'\n{count}\ntQ{offset}\n{size}{stride}I00\nNtR.");

    private static byte[] MakeFloats(int count, Write write)
    {
        byte[] bytes = new byte[4 * count];
        for (int i = 0; i < count; i++) write(bytes.AsSpan(4 * i), i);
        return bytes;
    }

    private delegate void Write(Span<byte> target, float value);

    private static object? ReadZip(byte[] pickle) => ReadZip(zip =>
    {
        zip.Add("x/data.pkl", pickle);
        zip.Add("x/data/0", SixFloats);
    });

    private static object? ReadZip(Action<ZipStoreWriter> fill)
    {
        using MemoryStream stream = new();
        ZipStoreWriter zip = new(stream);
        fill(zip);
        zip.Finish();
        return ReadBytes(stream.ToArray());
    }

    private static object? ReadBytes(byte[] bytes)
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        File.WriteAllBytes(folder.File("forged.pth"), bytes);
        return PthFile.Read(folder.File("forged.pth"));
    }

    private static string Refused(Func<object?> read) => Assert.Throws<WeightFileException>(read).Message;

    private static byte[] Latin1(string text) => Encoding.Latin1.GetBytes(text);
}
