using Lavt.Golden;
using Lavt.Kernels.Cuda;
using Lavt.Tests.Golden;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Modules and losses, forward and backward, AdamW and a few steps of training, against the numbers that the published code gives.</summary>
public class GoldenOnGpuTests
{
    /// <summary>Those that the emulator takes more than a second for; a GPU runs them too.</summary>
    private static readonly string[] s_slow = ["trajectory_ce", "trajectory_ce_amsgrad", "trajectory_mc_dice"];

    private static readonly string[] s_rounded = ["swin_block", "patch_merging", "pwam"];

    public static TheoryData<string> Files() =>
    [
        .. new[] { "modules", "training" }.SelectMany(folder => Directory.EnumerateFiles(GoldenTests.PathOf(folder), "*.safetensors").Select(file => $"{folder}/{Path.GetFileName(file)}"))
            .Where(file => !Gpu.IsEmulated || !s_slow.Contains(Path.GetFileNameWithoutExtension(file)))
            .Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Files))]
    public void Numbers_equal_those_of_PyTorch(string file)
    {
        GoldenReport report = new();
        GoldenRunner.Run(GoldenTests.PathOf(file), report, place: new(Gpu.Device.Device));
        Assert.NotEmpty(report.Results);
        Assert.True(!report.Failures.Any(), string.Join("\n", report.Failures.Select(f => $"{f.File} {f.Item}: {f.Detail}")));
    }

    /// <summary>Modules whose products are rounded, each with what its precision rounds to; on the emulator the two 16-bit types.</summary>
    public static TheoryData<string, ProductPrecision> RoundedFiles()
    {
        TheoryData<string, ProductPrecision> data = [];
        foreach (string file in Files().Select(row => row.Data).Where(file => s_rounded.Any(start => Path.GetFileName(file).StartsWith(start, StringComparison.Ordinal))))
            foreach (ProductPrecision precision in Enum.GetValues<ProductPrecision>().Where(p => p != ProductPrecision.Float32 && (p != ProductPrecision.Tf32 || !Gpu.IsEmulated)))
                data.Add(file, precision);
        return data;
    }

    [Theory]
    [MemberData(nameof(RoundedFiles))]
    public void Rounded_products_stay_within_their_precision(string file, ProductPrecision precision)
    {
        // Relative distance of neighbouring numbers. The gates of PWAM are sums of products of gradients, which cancel.
        double unit = precision == ProductPrecision.BFloat16 ? 1.0 / 256 : 1.0 / 2048;
        GoldenReport report = new() { StrictestBar = unit * (Path.GetFileName(file).StartsWith("pwam", StringComparison.Ordinal) ? 32 : 2) };
        GoldenRunner.Run(GoldenTests.PathOf(file), report, place: new(Gpu.Device.Device, precision));
        Assert.NotEmpty(report.Results);
        Assert.True(!report.Failures.Any(), string.Join("\n", report.Failures.Select(f => $"{f.File} {f.Item}: {f.Detail}")));
        Assert.Contains(report.Results, result => result.Item == "output.0");
    }
}
