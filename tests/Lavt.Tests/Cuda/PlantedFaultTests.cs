using System.Diagnostics;
using Lavt.Kernels.Cuda.Driver;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>
/// Plants faults in the kernels and lets the tests run on them, in processes of their own: each fault must be reported. With
/// LAVT_ALL_FAULTS=1 all of <see cref="PlantedFaults"/> (minutes), otherwise the first of every file.
/// </summary>
public class PlantedFaultTests
{
    public static TheoryData<int> Chosen() =>
    [
        .. PlantedFaults.All.Index()
            .Where(fault => Environment.GetEnvironmentVariable("LAVT_ALL_FAULTS") == "1" || PlantedFaults.All.First(other => other.File == fault.Item.File) == fault.Item)
            .Select(fault => fault.Index),
    ];

    [Theory]
    [MemberData(nameof(Chosen))]
    public void A_planted_fault_is_reported(int index)
    {
        Fault fault = PlantedFaults.All[index];
        _ = Gpu.Device;
        if (!Gpu.IsEmulated) Assert.Skip("faults are planted in the emulator only");
        string folder = Directory.CreateTempSubdirectory("lavt-fault").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, fault.File), Plant(fault));
            (int exitCode, string output) = RunTests(fault, folder);
            Assert.DoesNotContain("does not compile", output, StringComparison.Ordinal);
            // The tests began; one that the fault then ends with its process, or holds up for ever, is a report too.
            Assert.Contains("Starting:", output, StringComparison.Ordinal);
            Assert.True(exitCode != 0, $"{fault.File}, {fault.What}: nothing reported it.\n{output}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Every_fault_fits_its_source()
    {
        Assert.True(PlantedFaults.All.Count >= 30);
        Assert.All(PlantedFaults.All, fault => Assert.NotEqual(KernelSources.Read(fault.File), Plant(fault)));
        string[] withoutFault = [.. KernelSources.Files.Where(file => !file.StartsWith("Ptx", StringComparison.Ordinal) && file != "Types.cuh" && PlantedFaults.All.All(fault => fault.File != file))];
        Assert.True(withoutFault.Length == 0, $"plant a fault in {string.Join(", ", withoutFault)} (PlantedFaults.cs)");
    }

    private static string Plant(Fault fault) => KernelSources.Read(fault.File).Replace(fault.From, fault.To, StringComparison.Ordinal);

    private static (int ExitCode, string Output) RunTests(Fault fault, string folder)
    {
        ProcessStartInfo start = new("dotnet", [typeof(PlantedFaultTests).Assembly.Location, "-noColor", "-class", $"Lavt.Tests.Cuda.{fault.Tests}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["LAVT_CUDA_SOURCES"] = folder;
        start.Environment["LAVT_TEST_OPS"] = fault.Cases;
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(4)))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }
        return (process.ExitCode, output.Result + errors.Result);
    }
}
