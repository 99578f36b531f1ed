using System.Buffers.Binary;
using System.Text;
using Lavt.Nn.Weights;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Nn;

public class SafetensorsTests
{
    [Fact]
    public void What_is_written_is_read_back()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        Tensor matrix = Tensor.From(new double[] { 1, 2, 3, 4, 5, 6 }, [2, 3]);
        OrderedDictionary<string, Tensor> tensors = new()
        {
            ["byte"] = Tensor.From(new byte[] { 1, 2, 3 }, [3]),
            ["transposed"] = matrix.ViewPermuted(1, 0),
            ["empty"] = Tensor.Zeros([0, 4]),
            ["größe \"x\""] = Tensor.Scalar(2.5f),
            ["bf16"] = Tensor.Zeros([5], DType.BF16),
        };
        SafetensorsFile.Write(folder.File("a.safetensors"), tensors, new Dictionary<string, string> { ["note"] = "ü\n" });

        using SafetensorsFile file = SafetensorsFile.Open(folder.File("a.safetensors"));
        Assert.Equal("ü\n", file.Metadata["note"]);
        Assert.Equal(tensors.Keys.Order(), file.Entries.Select(entry => entry.Name).Order());
        Assert.All(file.Entries, entry => Assert.Equal(0, entry.Offset % entry.DType.Size()));
        foreach ((string name, Tensor tensor) in tensors) PthWriteTests.AssertEqual(tensor, file.Read(name));
        Assert.Equal([1, 4, 2, 5, 3, 6], file.Read("transposed").ToArray<double>());
        Assert.Contains(file.Entries, entry => entry.Name == "bf16");
        Assert.Throws<KeyNotFoundException>(() => file.Read("other"));
    }

    [Fact]
    public void Golden_files_are_read()
    {
        IReadOnlyDictionary<string, Tensor> tensors = SafetensorsFile.ReadAll(WeightTestFiles.Golden("checkpoints/dtypes_expected.safetensors"));
        Assert.Equal(13, tensors.Count);
        Assert.Equal(new Shape(0, 3), tensors["empty"].Shape);
    }

    [Fact]
    public void Names_must_be_unique()
    {
        KeyValuePair<string, Tensor>[] twice = [new("a", Tensor.Zeros([1])), new("a", Tensor.Zeros([1]))];
        Assert.Throws<ArgumentException>(() => SafetensorsFile.Write(Path.Combine(Path.GetTempPath(), "never.safetensors"), twice));
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "is said to lie at bytes 0 to 8 of 7")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "tensors end at byte")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "leave a hole")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}""", 6, "shared with another")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "header is damaged")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "is said to lie")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "has extent -2")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,8]}}""", 8, "more elements than any file")]
    [InlineData("""{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}""", 8, "is of type F8_E4M3; F32, F64")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}""", 8, "3 data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "is said to lie")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}}""", 8, "9 dimensions")]
    [InlineData("""{"a":{"shape":[2],"data_offsets":[0,8]}}""", 8, "header is damaged")]
    [InlineData("""{"a":{"dtype":1,"shape":2,"data_offsets":[0,8]}}""", 8, "header is damaged")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", 8, "has extent 2.5")]
    [InlineData("""[]""", 0, "header is damaged")]
    [InlineData("""{"a":""", 0, "header is damaged")]
    [InlineData("""{"__metadata__":{"n":1}}""", 0, "header is damaged")]
    public void Headers_are_checked(string header, int dataBytes, string error)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] bytes = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, json.Length);
        json.CopyTo(bytes, 8);
        AssertOutcome(bytes, error);
    }

    [Theory]
    [InlineData("", "too short")]
    [InlineData("\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff{}", "18446744073709551615 bytes")]
    [InlineData("\u0003\0\0\0\0\0\0\0{}", "3 bytes")]
    [InlineData("\u0002\0\0\0\0\0\0\0{}", "")]
    public void Lengths_are_checked(string latin1, string error) => AssertOutcome(Encoding.Latin1.GetBytes(latin1), error);

    private static void AssertOutcome(byte[] bytes, string error)
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        string path = folder.File("a.safetensors");
        File.WriteAllBytes(path, bytes);
        if (error.Length == 0) SafetensorsFile.Open(path).Dispose();
        else Assert.Contains(error, Assert.Throws<WeightFileException>(() => SafetensorsFile.Open(path)).Message);
    }
}
