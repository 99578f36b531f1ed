using System.Diagnostics;
using System.Text.RegularExpressions;
using Lavt.Kernels.Cuda.Driver;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>
/// Compiles every kernel file to PTX with clang, where it is installed: the language as a CUDA compiler reads it, which g++
/// with the emulator's header does not. The PTX tells of calls that nothing defines and of too much shared memory.
/// </summary>
public class ClangTests
{
    private const int MostStaticShared = 48 * 1024;

    private static readonly string? s_clang = Find();

    public static TheoryData<string> Files => [.. KernelSources.Files.Where(file => file.EndsWith(".cu", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Files))]
    public async Task A_kernel_file_compiles_as_CUDA(string file)
    {
        if (s_clang is null) Assert.Skip("clang is not installed (apt-get install clang-19); NVRTC compiles the kernels where there is a GPU");
        string check = Path.Combine(EmulatorBuild.Root, "tests", "Emulator", "clang"), sources = Path.Combine(EmulatorBuild.Root, "src", "Kernels", "Cuda");
        ProcessStartInfo start = new(s_clang,
        [
            "-x", "cuda", "--cuda-device-only", "--cuda-gpu-arch=sm_90a", "--cuda-feature=+ptx85", "-nocudainc", "-nocudalib", "-std=c++17", "-O2",
            "-Wall", "-Werror", "-Wno-unused-function", "-I", check, "-I", sources, "-include", Path.Combine(check, "cuda_check.h"), "-S", Path.Combine(sources, file), "-o", "-",
        ])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string ptx = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await errors);
        int shared = Regex.Matches(ptx, @"^\s*\.shared .*\[(\d+)\];", RegexOptions.Multiline).Sum(part => int.Parse(part.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));
        Assert.True(shared <= MostStaticShared, $"{file}: {shared} bytes of static shared memory");
        string[] undefined = [.. Regex.Matches(ptx, @"^\.extern \.func[^;]*?(\w+)\s*$", RegexOptions.Multiline).Select(call => call.Groups[1].Value).Where(name => !name.StartsWith("__nv_", StringComparison.Ordinal))];
        Assert.Empty(undefined);
    }

    private static string? Find() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .SelectMany(folder => new[] { 22, 21, 20, 19 }.Select(version => Path.Combine(folder, $"clang++-{version}")))
        .FirstOrDefault(File.Exists);
}
