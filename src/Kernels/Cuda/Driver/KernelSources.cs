using System.Reflection;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// The CUDA sources that are embedded in this assembly, under their file names. Files in the folder that LAVT_CUDA_SOURCES
/// names come before those of the same name, so that kernels can be changed without a build.
/// </summary>
public static class KernelSources
{
    /// <summary>The names of all .cu and .cuh files.</summary>
    public static IReadOnlyList<string> Files { get; } =
        [.. typeof(KernelSources).Assembly.GetManifestResourceNames().Where(name => name.EndsWith(".cu", StringComparison.Ordinal) || name.EndsWith(".cuh", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    /// <summary>The .cuh files, which every .cu file may include, with their text.</summary>
    public static IReadOnlyDictionary<string, string> Headers { get; } =
        Files.Where(file => file.EndsWith(".cuh", StringComparison.Ordinal)).ToDictionary(file => file, Read);

    /// <summary>The text of a file.</summary>
    /// <exception cref="CudaException">There is no such file.</exception>
    public static string Read(string file)
    {
        if (Environment.GetEnvironmentVariable("LAVT_CUDA_SOURCES") is { Length: > 0 } folder && File.Exists(Path.Combine(folder, file)))
            return File.ReadAllText(Path.Combine(folder, file));
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(file)
            ?? throw new CudaException($"no CUDA source {file} is embedded; there are {string.Join(", ", Files)}");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
