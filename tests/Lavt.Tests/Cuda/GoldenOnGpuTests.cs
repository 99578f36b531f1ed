using Lavt.Golden;
using Lavt.Tests.Golden;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Modules and losses, forward and backward, AdamW and a few steps of training, against the numbers that the published code gives.</summary>
public class GoldenOnGpuTests
{
    /// <summary>Those that the emulator takes more than a second for; a GPU runs them too.</summary>
    private static readonly string[] s_slow = ["trajectory_ce", "trajectory_ce_amsgrad", "trajectory_mc_dice"];

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
        GoldenRunner.Run(GoldenTests.PathOf(file), report, device: Gpu.Device.Device);
        Assert.NotEmpty(report.Results);
        Assert.True(!report.Failures.Any(), string.Join("\n", report.Failures.Select(f => $"{f.File} {f.Item}: {f.Detail}")));
    }
}
