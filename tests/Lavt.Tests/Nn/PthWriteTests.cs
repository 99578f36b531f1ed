using System.Numerics;
using Lavt.Nn.Weights;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Nn;

public class PthWriteTests
{
    [Fact]
    public void What_is_written_is_read_back()
    {
        Tensor weight = Tensor.From(new float[] { 1, 2, 3, 4, 5, 6 }, [2, 3]);
        PickleDict root = new()
        {
            ["model"] = new Dictionary<string, Tensor> { ["a"] = weight, ["t"] = weight.ViewPermuted(1, 0), ["same"] = weight.ViewAs([6]) },
            ["epoch"] = 300,
            ["large"] = 1L << 40,
            ["negative"] = -1,
            ["lr"] = 5e-5,
            ["flags"] = new List<object?> { true, false, null },
            ["betas"] = new object?[] { 0.9, 0.999 },
            ["name"] = "größe",
        };
        PickleDict read = RoundTrip(root);

        PickleDict model = read.Get<PickleDict>("model");
        Assert.True(model.IsOrderedDict);
        Assert.Equal(weight.ToArray<float>(), model.Get<Tensor>("a").ToArray<float>());
        Assert.Equal([1, 4, 2, 5, 3, 6], model.Get<Tensor>("t").ToArray<float>());
        Assert.Equal(new Shape(3, 2), model.Get<Tensor>("t").Shape);
        Assert.Same(model.Get<Tensor>("a").Storage, model.Get<Tensor>("same").Storage);
        Assert.Equal((300L, 1L << 40, -1L), (read["epoch"], read["large"], read["negative"]));
        Assert.Equal(5e-5, read["lr"]);
        Assert.Equal([true, false, null], read.Get<List<object?>>("flags"));
        Assert.Equal([0.9, 0.999], read.Get<object?[]>("betas"));
        Assert.Equal("größe", read["name"]);
    }

    [Theory]
    [InlineData("dtypes_zip.pth")]
    [InlineData("reference_zip.pth")]
    public void A_file_of_pytorch_survives_a_round_trip(string file)
    {
        object? first = PthFile.Read(WeightTestFiles.Golden("checkpoints/" + file));
        AssertEqual(first, RoundTrip(first, keepNamespace: true));
    }

    [Fact]
    public void A_namespace_becomes_a_dict_unless_it_is_to_be_kept()
    {
        PickleObject space = new(new PickleGlobal("argparse", "Namespace")) { State = new PickleDict { ["lr"] = 0.1 } };
        PickleDict root = new() { ["args"] = space };
        Assert.Equal(0.1, Assert.IsType<PickleDict>(RoundTrip(root)["args"]).Get<double>("lr"));
        PickleObject kept = Assert.IsType<PickleObject>(RoundTrip(root, keepNamespace: true)["args"]);
        Assert.Equal(0.1, PthFile.AsNamespace(kept)!.Get<double>("lr"));
    }

    [Fact]
    public void Equal_content_gives_equal_files()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        PickleDict root = new() { ["w"] = Tensor.From(new float[] { 1, 2 }, [2]) };
        PthFile.Write(folder.File("a.pth"), root);
        PthFile.Write(folder.File("b.pth"), root);
        Assert.Equal(File.ReadAllBytes(folder.File("a.pth")), File.ReadAllBytes(folder.File("b.pth")));
    }

    [Fact]
    public void Records_start_at_multiples_of_64()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        PthFile.Write(folder.File("a.pth"), new List<object?> { Tensor.Zeros([3]), Tensor.Zeros([0]), Tensor.Zeros([5], DType.U8), Tensor.Zeros([7]) });
        using InputFile file = new(folder.File("a.pth"));
        Assert.All(ZipDirectory.Read(file).Entries.Values, entry => Assert.Equal(0, entry.Offset % 64));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(uint.MaxValue)]
    public void Zip64_fields_say_the_same(long limit)
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        using (FileStream stream = File.Create(folder.File("a.zip")))
        {
            ZipStoreWriter writer = new(stream, limit);
            for (int i = 0; i < 5; i++) writer.Add($"x/{i}", new byte[i * 40]);
            writer.Finish();
        }
        using InputFile file = new(folder.File("a.zip"));
        ZipDirectory zip = ZipDirectory.Read(file);
        Assert.Equal(Enumerable.Range(0, 5).Select(i => i * 40L), zip.Entries.Values.Select(entry => entry.Length));
        Assert.All(zip.Entries.Values, entry => Assert.Equal(entry.Length, zip.ReadAll(entry, 1000).Length));
        // The framework's own reader agrees.
        using System.IO.Compression.ZipArchive other = System.IO.Compression.ZipFile.OpenRead(folder.File("a.zip"));
        Assert.Equal(zip.Entries.Values.Select(entry => (entry.Name, entry.Length, entry.Crc)), other.Entries.Select(entry => (entry.FullName, entry.Length, entry.Crc32)));
    }

    [Fact]
    public void What_cannot_be_written_is_named()
    {
        PickleDict Nested(object? value) => new() { ["a"] = new List<object?> { 1, new PickleDict { ["b"] = value } } };
        Assert.Contains("'a[1].b' is a BigInteger", Assert.Throws<ArgumentException>(() => RoundTrip(Nested(BigInteger.One))).Message);
        Assert.Contains("'a[1].b' is a Byte[]", Assert.Throws<ArgumentException>(() => RoundTrip(Nested(new byte[3]))).Message);
        List<object?> loop = [];
        loop.Add(loop);
        Assert.Contains("holds itself", Assert.Throws<ArgumentException>(() => RoundTrip(loop)).Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(80)]
    [InlineData(127)]
    [InlineData(1000)]
    [InlineData(4096)]
    public void Crc32_equals_its_definition(int length)
    {
        byte[] data = new byte[length];
        new Random(length).NextBytes(data);
        uint plain = uint.MaxValue;
        foreach (byte value in data)
        {
            plain ^= value;
            for (int bit = 0; bit < 8; bit++) plain = (plain >> 1) ^ ((plain & 1) * 0xEDB88320);
        }
        Assert.Equal(~plain, Crc32.Append(0, data));
        Assert.Equal(~plain, ~Crc32.AppendByTable(uint.MaxValue, data));
        Assert.Equal(~plain, Crc32.Append(Crc32.Append(0, data.AsSpan(0, length / 3)), data.AsSpan(length / 3)));
    }

    [Fact]
    public void Crc32_gives_the_published_check_value() => Assert.Equal(0xCBF43926, Crc32.Append(0, "123456789"u8));

    internal static void AssertEqual(object? expected, object? actual)
    {
        switch (expected)
        {
            case Tensor tensor:
                Tensor other = Assert.IsType<Tensor>(actual);
                Assert.Equal((tensor.Shape, tensor.DType), (other.Shape, other.DType));
                Assert.Equal(Bytes(tensor), Bytes(other));
                break;
            case PickleDict dict:
                PickleDict otherDict = Assert.IsType<PickleDict>(actual);
                Assert.Equal(dict.IsOrderedDict, otherDict.IsOrderedDict);
                Assert.Equal(dict.Keys, otherDict.Keys);
                foreach ((object? key, object? value) in dict)
                {
                    Assert.True(otherDict.TryGetValue(key, out object? otherValue));
                    AssertEqual(value, otherValue);
                }
                AssertEqual(dict.Attributes, otherDict.Attributes);
                break;
            case PickleObject instance:
                PickleObject otherInstance = Assert.IsType<PickleObject>(actual);
                Assert.Equal(instance.Global, otherInstance.Global);
                AssertEqual(instance.State, otherInstance.State);
                break;
            case System.Collections.IList list:
                var otherList = (System.Collections.IList)actual!;
                Assert.Equal((list.GetType(), list.Count), (otherList.GetType(), otherList.Count));
                for (int i = 0; i < list.Count; i++) AssertEqual(list[i], otherList[i]);
                break;
            default:
                Assert.Equal(expected, actual);
                break;
        }
    }

    private static byte[] Bytes(Tensor tensor)
    {
        using MemoryStream bytes = new();
        TensorBytes.ForEach(tensor, bytes.Write);
        return bytes.ToArray();
    }

    private static PickleDict RoundTrip(object? root, bool keepNamespace = false)
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        PthFile.Write(folder.File("checkpoint.pth"), root, keepNamespace);
        return (PickleDict)PthFile.Read(folder.File("checkpoint.pth"))!;
    }
}
