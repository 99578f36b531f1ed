using Lavt.Golden;
using Lavt.Tests.Golden;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Modules and losses, forward and backward, against the numbers that the published code gives.</summary>
public class GoldenOnGpuTests
{
    /// <summary>Those that the emulator takes more than a second for; a GPU runs them too.</summary>
    private static readonly string[] s_slow = [];

    public static TheoryData<string> Files() =>
    [
        .. Directory.EnumerateFiles(GoldenTests.PathOf("modules"), "*.safetensors")
            .Select(file => Path.GetFileNameWithoutExtension(file))
            .Where(file => !Gpu.IsEmulated || !s_slow.Contains(file))
            .Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Files))]
    public void Numbers_equal_those_of_PyTorch(string file)
    {
        GoldenReport report = new();
        GoldenRunner.Run(GoldenTests.PathOf(Path.Combine("modules", file + ".safetensors")), report, device: Gpu.Device.Device);
        Assert.NotEmpty(report.Results);
        Assert.True(!report.Failures.Any(), string.Join("\n", report.Failures.Select(f => $"{f.File} {f.Item}: {f.Detail}")));
    }
}
