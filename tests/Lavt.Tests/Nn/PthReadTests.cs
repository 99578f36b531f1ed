using Lavt.Nn.Weights;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Nn;

public class PthReadTests
{
    [Theory]
    [InlineData("dtypes_zip.pth")]
    [InlineData("dtypes_legacy.pth")]
    public void Every_type_view_and_parameter_has_its_values_bit_for_bit(string file)
    {
        PickleDict tensors = ReadDict(file);
        using SafetensorsFile expected = SafetensorsFile.Open(WeightTestFiles.Golden("checkpoints/dtypes_expected.safetensors"));

        Assert.Equal(expected.Entries.Select(entry => entry.Name).Order(), tensors.Keys.Cast<string>().Order());
        foreach (SafetensorsEntry entry in expected.Entries)
        {
            Tensor tensor = tensors.Get<Tensor>(entry.Name);
            AssertWidensTo(expected.Read(entry.Name), tensor);
        }
        Assert.Equal(0, tensors.Get<Tensor>("scalar").Rank);
        Assert.Equal(
            [DType.F16, DType.BF16, DType.F64, DType.I64, DType.I32, DType.U8, DType.Bool],
            new[] { "f16", "bf16", "f64", "i64", "i32", "u8", "bool" }.Select(name => tensors.Get<Tensor>(name).DType));
    }

    [Theory]
    [InlineData("dtypes_zip.pth")]
    [InlineData("dtypes_legacy.pth")]
    public void Shared_memory_stays_shared(string file)
    {
        PickleDict tensors = ReadDict(file);
        Tensor whole = tensors.Get<Tensor>("same_storage"), transposed = tensors.Get<Tensor>("transposed");
        Assert.False(transposed.IsContiguous);
        whole.Span<float>()[1] = 42;
        Assert.Equal(42, transposed.ToArray<float>()[4]);
    }

    [Theory]
    [InlineData("reference_zip.pth")]
    [InlineData("reference_legacy.pth")]
    public void A_checkpoint_of_the_reference_is_read_whole(string file)
    {
        PickleDict checkpoint = ReadDict(file);
        Assert.Equal(7, checkpoint.Get<int>("epoch"));
        Assert.Equal(0.001, checkpoint.Get<PickleDict>("lr_scheduler").Get<List<object?>>("base_lrs")[0]);

        PickleDict arguments = PthFile.AsNamespace(checkpoint["args"])!;
        Assert.Equal("base", arguments.Get<string>("swin_type"));
        Assert.Equal(0.01, arguments.Get<double>("weight_decay"));
        Assert.Equal("", arguments["resume"]);
        Assert.Null(PthFile.AsNamespace(checkpoint["epoch"]));

        int compared = 0;
        using SafetensorsFile expected = SafetensorsFile.Open(WeightTestFiles.Golden("checkpoints/reference_expected.safetensors"));
        foreach (SafetensorsEntry entry in expected.Entries)
        {
            AssertWidensTo(expected.Read(entry.Name), Find(checkpoint, entry.Name));
            compared++;
        }
        Assert.Equal(int.Parse(expected.Metadata["epoch"]), checkpoint.Get<int>("epoch"));
        Assert.InRange(compared, 50, int.MaxValue);
    }

    [Theory]
    [InlineData("malicious_zip.pth")]
    [InlineData("malicious_legacy.pth")]
    public void A_file_that_would_run_a_program_is_refused(string file)
    {
        var error = Assert.Throws<WeightFileException>(() => ReadDict(file));
        Assert.Contains(file, error.Message);
        Assert.Contains("names 'posix.system', which is not allowed and was not run", error.Message);
        Assert.False(File.Exists("/tmp/pwned"));
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("<!DOCTYPE html>", "a web page")]
    [InlineData("version https://git-lfs.github.com/spec/v1", "git lfs pull")]
    [InlineData("\u0010\0\0\0\0\0\0\0{\"a\":{}}", "a safetensors file")]
    [InlineData("ustar something", "no PyTorch checkpoint")]
    [InlineData("PK\u0003\u0004 and no end", "zip directory at the end of the file is missing")]
    [InlineData("\u0080\u0002}q\0.", "not one of torch.save")]
    public void Other_files_are_recognised(string latin1, string expected)
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        string path = folder.File("weights.pth");
        File.WriteAllText(path, latin1, System.Text.Encoding.Latin1);
        var error = Assert.Throws<WeightFileException>(() => PthFile.Read(path));
        Assert.Contains(expected, error.Message);
        Assert.StartsWith(path, error.Message);
    }

    [Fact]
    public void A_changed_weight_is_found_by_its_checksum()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        byte[] bytes = File.ReadAllBytes(WeightTestFiles.Golden("checkpoints/reference_zip.pth"));
        bytes[bytes.Length / 2] ^= 1;
        string path = folder.File("changed.pth");
        File.WriteAllBytes(path, bytes);
        Assert.Contains("checksum of 'reference_zip/data/", Assert.Throws<WeightFileException>(() => PthFile.Read(path)).Message);
    }

    [Fact]
    public void A_file_held_open_gives_numbers_when_they_are_used_and_finds_damage_then()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        string path = folder.File("two.pth");
        using MemoryScope scope = MemoryScope.Begin();
        float[] values = [.. Enumerable.Range(0, 5000).Select(i => i + 0.5f)];
        PthFile.Write(path, new PickleDict { ["good"] = Tensor.From(values, [5000]), ["bad"] = Tensor.From(values, [50, 100]) });
        byte[] bytes = File.ReadAllBytes(path);
        // The last number of the second storage.
        int at = bytes.AsSpan().LastIndexOf(BitConverter.GetBytes(values[^1]));
        bytes[at] ^= 1;
        File.WriteAllBytes(path, bytes);

        long before = HostAllocator.BytesInUse;
        using PthFile file = PthFile.Open(path);
        var tree = (PickleDict)file.Root!;
        Assert.Equal(before, HostAllocator.BytesInUse);
        Assert.Equal(values, tree.Get<Tensor>("good").ToArray<float>());
        long used = HostAllocator.BytesInUse;
        for (int attempt = 0; attempt < 2; attempt++)
            Assert.Contains("checksum of", Assert.Throws<WeightFileException>(() => tree.Get<Tensor>("bad").ToArray<float>()).Message);
        Assert.Equal(used, HostAllocator.BytesInUse);
    }

    [Fact]
    public void Reading_needs_no_more_memory_than_the_weights()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        string path = folder.File("large.pth");
        using (MemoryScope.Begin())
            PthFile.Write(path, new PickleDict { ["weight"] = Tensor.Zeros([4 << 20]) });
        using MemoryScope scope = MemoryScope.Begin();
        long managed = GC.GetAllocatedBytesForCurrentThread();
        PthFile.Read(path);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - managed, 0, 1 << 20);
    }

    private static PickleDict ReadDict(string file) => (PickleDict)PthFile.Read(WeightTestFiles.Golden("checkpoints/" + file))!;

    /// <summary>"model.backbone.weight" is the entry "backbone.weight" of the entry "model".</summary>
    private static Tensor Find(PickleDict checkpoint, string name)
    {
        int dot = name.IndexOf('.');
        return checkpoint.Get<PickleDict>(name[..dot]).Get<Tensor>(name[(dot + 1)..]);
    }

    private static void AssertWidensTo(Tensor expected, Tensor actual)
    {
        // The golden files have scalars as vectors of one.
        Assert.Equal(expected.Shape, actual.Rank == 0 ? [1] : actual.Shape);
        if (expected.DType == DType.F32) Assert.Equal(expected.ToArray<float>(), Floats(actual));
        else Assert.Equal(expected.ToArray<long>(), Longs(actual));
    }

    private static float[] Floats(Tensor tensor) => tensor.DType switch
    {
        DType.F32 => tensor.ToArray<float>(),
        DType.F64 => [.. tensor.ToArray<double>().Select(value => (float)value)],
        DType.F16 => [.. tensor.ToArray<Half>().Select(value => (float)value)],
        DType.BF16 => [.. tensor.ToArray<ushort>().Select(value => BitConverter.UInt32BitsToSingle((uint)value << 16))],
        _ => throw new InvalidOperationException($"{tensor.DType} is no float"),
    };

    private static long[] Longs(Tensor tensor) => tensor.DType switch
    {
        DType.I64 => tensor.ToArray<long>(),
        DType.I32 => [.. tensor.ToArray<int>().Select(value => (long)value)],
        DType.U8 or DType.Bool => [.. tensor.Copy().Span<byte>().ToArray().Select(value => (long)value)],
        _ => throw new InvalidOperationException($"{tensor.DType} is no integer"),
    };
}
