using System.Diagnostics;
using System.Security.Cryptography;

namespace Lavt.Tests.Cuda;

/// <summary>
/// Builds the emulator of the CUDA driver and of NVRTC (tests/Emulator) with g++, once per content: the folder's name is a
/// hash of the sources, so that processes share it and a change makes a new one.
/// </summary>
internal static class EmulatorBuild
{
    private const string Flags = "-std=c++17 -O2 -march=x86-64-v3 -fPIC -fvisibility=hidden -Wall -Wextra -Werror -pthread";

    /// <summary>The root of the repository.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Why there is no emulator; null if there can be one.</summary>
    public static string? Missing { get; } = FindCompiler() ? null : "the CUDA tests need g++ (apt-get install g++) or a GPU";

    /// <summary>Builds what is not built yet.</summary>
    /// <returns>The folder with the library and its headers.</returns>
    public static string Run()
    {
        string source = Path.Combine(Root, "tests", "Emulator");
        string[] files = [.. Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        string folder = Path.Combine(Root, "tests", "Lavt.Tests", "obj", "emulator", Hash(files));
        if (File.Exists(Path.Combine(folder, "libcuda_emulator.so"))) return folder;
        string temporary = $"{folder}.{Environment.ProcessId}";
        Directory.CreateDirectory(Path.Combine(temporary, "include"));
        foreach (string header in files.Where(file => file.Contains("/include/", StringComparison.Ordinal)))
            File.Copy(header, Path.Combine(temporary, "include", Path.GetFileName(header)));
        string[] code = [.. files.Where(file => file.EndsWith(".cpp", StringComparison.Ordinal))];
        System.Threading.Tasks.Parallel.ForEach(code, file => Execute("g++", $"{Flags} -c {file} -o {temporary}/{Path.GetFileNameWithoutExtension(file)}.o"));
        Execute("g++", $"-shared -pthread -o {temporary}/libcuda_emulator.so {string.Join(' ', code.Select(file => $"{temporary}/{Path.GetFileNameWithoutExtension(file)}.o"))} -ldl");
        try
        {
            Directory.Move(temporary, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            // Another process was faster.
            Directory.Delete(temporary, recursive: true);
        }
        return folder;
    }

    private static string Hash(string[] files)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string file in files) hash.AppendData(File.ReadAllBytes(file));
        return Convert.ToHexString(hash.GetHashAndReset())[..16];
    }

    private static void Execute(string program, string arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{program} {arguments}\n{errors}");
    }

    private static bool FindCompiler() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, "g++")));

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Lavt.sln"))) folder = Path.GetDirectoryName(folder);
        return folder ?? AppContext.BaseDirectory;
    }
}
