using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.GpuBench;

/// <summary>
/// Compiles every CUDA source of the program, several at a time, and loads every kernel: a line of JSON for each source says
/// how long NVRTC took and what the kernels need, or what is wrong. The results lie in the cache afterwards.
/// </summary>
internal static class CompileReport
{
    // CUfunction_attribute
    private const int StaticShared = 1, LocalBytes = 3, Registers = 4;

    private const string KernelClasses = "Lavt.Kernels.Cuda";

    /// <summary>Sources that are compiled for many head sizes are compiled for that of all published models.</summary>
    private const string OtherHeads = "-DHEAD_DIM=", PublishedHead = "-DHEAD_DIM=32";

    /// <summary>Writes the lines and returns the number of sources that failed.</summary>
    public static int Write(CudaDevice device, TextWriter output)
    {
        var sources = Kernels().GroupBy(kernel => string.Join(' ', kernel.Source.Options.Prepend(kernel.Source.File))).ToList();
        ConcurrentDictionary<string, double> seconds = [];
        ConcurrentDictionary<string, string> errors = [];
        Parallel.ForEach(sources, source =>
        {
            (string file, _, string[] options) = source.First().Source;
            long started = Stopwatch.GetTimestamp();
            try
            {
                Compilation compilation = new(file, KernelSources.Read(file), KernelSources.Headers, device.Architecture, options);
                CubinCache.Write(compilation.Key, compilation.Run());
            }
            catch (CudaException failure)
            {
                errors[source.Key] = failure.Message;
            }
            seconds[source.Key] = Stopwatch.GetElapsedTime(started).TotalSeconds;
        });
        foreach (IGrouping<string, CudaKernel> source in sources.OrderBy(source => source.Key, StringComparer.Ordinal))
        {
            object[] kernels = errors.ContainsKey(source.Key) ? [] : Load(device, source, errors);
            output.WriteLine(JsonSerializer.Serialize(new { source = source.Key, seconds = Math.Round(seconds[source.Key], 3), kernels, error = errors.GetValueOrDefault(source.Key) }));
        }
        string[] unused = [.. KernelSources.Files.Where(file => file.EndsWith(".cu", StringComparison.Ordinal) && sources.All(source => source.First().Source.File != file))];
        foreach (string file in unused) output.WriteLine(JsonSerializer.Serialize(new { source = file, seconds = 0, kernels = Array.Empty<object>(), error = "no class of the program has a kernel of it" }));
        return errors.Count + unused.Length;
    }

    /// <summary>The kernels that classes of the program hold.</summary>
    private static IEnumerable<CudaKernel> Kernels()
    {
        foreach (Type type in typeof(CudaKernel).Assembly.GetTypes().Where(type => type.Namespace == KernelClasses && !type.ContainsGenericParameters))
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        return CudaKernel.Made.Where(kernel => !kernel.Source.Options.Any(option => option.StartsWith(OtherHeads, StringComparison.Ordinal) && option != PublishedHead));
    }

    private static object[] Load(CudaDevice device, IGrouping<string, CudaKernel> source, ConcurrentDictionary<string, string> errors)
    {
        List<object> loaded = [];
        try
        {
            foreach (CudaKernel kernel in source)
            {
                nint function = kernel.HandleOn(device);
                loaded.Add(new { name = kernel.Source.Name, registers = Attribute(function, Registers), spilled_bytes = Attribute(function, LocalBytes), shared_bytes = Attribute(function, StaticShared) });
            }
        }
        catch (CudaException failure)
        {
            errors[source.Key] = failure.Message;
        }
        return [.. loaded];
    }

    private static int Attribute(nint function, int attribute)
    {
        CudaException.Check(DriverApi.FuncGetAttribute(out int value, attribute, function), $"cuFuncGetAttribute {attribute}");
        return value;
    }
}
