using Lavt.Golden;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Golden;

/// <summary>Every number that the published code gives, but for the largest models, which <c>lavt golden</c> checks.</summary>
public class GoldenTests
{
    private static readonly string[] TooLarge = ["lavt_large_w7_224", "lavt_one_base_w12_480", "lavt_video_base_w12_t4"];

    public static TheoryData<string> Files() =>
    [
        .. Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories)
            .Where(file => IsEntry(file) && !TooLarge.Contains(Path.GetFileNameWithoutExtension(file)))
            .Select(file => Path.GetRelativePath(Folder, file))
            .Order(StringComparer.Ordinal),
    ];

    private static string Folder { get; } = FindFolder();

    /// <summary>The path of a golden file.</summary>
    public static string PathOf(string file) => Path.Combine(Folder, file);

    [Theory]
    [MemberData(nameof(Files))]
    public void Numbers_equal_those_of_PyTorch(string file)
    {
        GoldenReport report = new();
        GoldenRunner.Run(Path.Combine(Folder, file), report);
        Assert.SkipWhen(report.Skipped.Any(why => why.EndsWith("is not installed", StringComparison.Ordinal)), string.Join("; ", report.Skipped));
        Assert.NotEmpty(report.Results);
        Assert.True(!report.Failures.Any(), string.Join("\n", report.Failures.Select(f => $"{f.File} {f.Item}: {f.Detail}")));
    }

    [Theory]
    [InlineData("lavt_tiny_w7_224")]
    [InlineData("lavt_one_tiny_w12_384")]
    [InlineData("lavt_video_tiny_t3_odd")]
    public void Masks_with_products_of_bfloat16_agree_with_those_of_float32(string model)
    {
        Assert.SkipWhen(Bf16Gemm.Missing is not null, $"products of bfloat16 are not available: {Bf16Gemm.Missing}");
        GoldenReport report = new();
        GoldenRunner.Run(Path.Combine(Folder, "full", model + ".safetensors"), report, precision: Lavt.Options.Precision.BFloat16);
        Assert.NotEmpty(report.Results);
        Assert.True(!report.Failures.Any(), string.Join("\n", report.Failures.Select(f => $"{f.File} {f.Item}: {f.Detail}")));
    }

    [Fact]
    public void A_wrong_number_is_noticed()
    {
        GoldenReport report = new();
        Lavt.Tensors.Tensor expected = Lavt.Tensors.Tensor.From(new float[] { 1, 2, 3 }, [3]);
        report.Compare("file", "same", expected, expected, 0);
        Assert.Empty(report.Failures);
        report.Compare("file", "different", Lavt.Tensors.Tensor.From(new float[] { 1, 2, 3.0001f }, [3]), expected, 1e-6);
        report.Compare("file", "missing", null, expected, 1);
        report.Compare("file", "shape", Lavt.Tensors.Tensor.From(new float[] { 1, 2 }, [2]), expected, 1);
        Assert.Equal(3, report.Failures.Count());
    }

    private static bool IsEntry(string file)
    {
        string name = Path.GetFileName(file), folder = Path.GetFileName(Path.GetDirectoryName(file)!);
        if (folder == "checkpoints") return name.EndsWith(".pth", StringComparison.Ordinal);
        return name.EndsWith(".safetensors", StringComparison.Ordinal) || name.EndsWith(".json.gz", StringComparison.Ordinal) || name is "cases.json" or "polygons.json";
    }

    private static string FindFolder()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Lavt.sln"))) folder = Path.GetDirectoryName(folder);
        return Path.Combine(folder ?? throw new DirectoryNotFoundException("the tests must lie below the folder of Lavt.sln"), "tests", "golden");
    }
}
