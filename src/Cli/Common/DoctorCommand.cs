using System.CommandLine;
using System.Runtime.InteropServices;
using Lavt.Data;
using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Video;

namespace Lavt.Cli;

/// <summary><c>lavt doctor</c>: says what this machine offers and what is missing.</summary>
internal static class DoctorCommand
{
    private static readonly (string File, string Use, string Package)[] s_libraries =
    [
        ("libturbojpeg.so.0", "JPEG pictures", "libturbojpeg0"),
        ("libspng.so.0", "PNG pictures", "libspng0"),
    ];

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("doctor", "Says what this machine offers and what is missing.");
        HelpPage.Attach(command, "lavt doctor");
        command.SetAction(_ => Run());
        return command;
    }

    private static int Run()
    {
        Row("program", CommandLine.Version);
        Row("runtime", $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}");
        Row("system", RuntimeInformation.OSDescription);
        Row("processor", $"{Environment.ProcessorCount} cores, vectors of {CpuInfo.VectorBits} bits, {Workers.Current.Count} threads compute");
        Row("bfloat16", Bf16Gemm.Missing is { } why ? $"--precision bf16 computes in fp32 here: {why}" : "products with --precision bf16");
        Row("memory", $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1L << 20):N0} MiB");
        Row("disk", $"{new DriveInfo(Environment.CurrentDirectory).AvailableFreeSpace / (1L << 20):N0} MiB free in {Environment.CurrentDirectory}");
        GpuReport.Print(Row);
        var missing = new List<string>();
        foreach ((string file, string use, string package) in s_libraries)
        {
            bool found = NativeLibrary.TryLoad(file, out _);
            Row(file, found ? $"found ({use})" : $"MISSING ({use})");
            if (!found)
                missing.Add(package);
        }
        Optional("libhdf5", A2dMask.LibraryVersion, "masks of A2D", "libhdf5-103-1");
        Optional("ffmpeg", VideoReader.DecoderVersion, "video files", "ffmpeg");
        if (missing.Count == 0)
            return ExitCode.Ok;
        Terminal.Error($"libraries are missing; on Debian or Ubuntu: apt-get install -y {string.Join(' ', missing)}");
        return ExitCode.Device;
    }

    /// <summary>What only some data needs.</summary>
    private static void Optional(string name, string? version, string use, string package) =>
        Row(name, version is null ? $"not installed ({use} need it: apt-get install -y {package})" : $"{version} ({use})");

    private static void Row(string name, string value) => Console.WriteLine($"{name,-20}{value}");
}
