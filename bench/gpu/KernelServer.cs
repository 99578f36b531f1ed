using System.Globalization;
using System.Text.Json;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;
using ProductPrecision = Lavt.Kernels.Cuda.ProductPrecision;

namespace Lavt.GpuBench;

/// <summary>
/// Measures single operations on request: a line <c>OPERATION PRECISION SIZES SECONDS</c> is answered by a line of JSON with the
/// milliseconds of samples and the bytes of the tensors that an ideal kernel reads and writes once (bench/README.md).
/// </summary>
internal sealed class KernelServer(CudaDevice device, TextReader requests, TextWriter answers)
{
    private const double SecondsPerSample = 2e-3;
    private const int MostPerSample = 200;

    /// <summary>Answers until the input ends or says <c>quit</c>.</summary>
    public void Run()
    {
        Answer(new { ready = $"Lavt on {device.Name}" });
        while (requests.ReadLine() is { } line && line != "quit")
        {
            try
            {
                Answer(Measure(line.Split(' ')));
            }
            catch (Exception failure) when (failure is FormatException or ArgumentException or CudaException or MissingKernelException or NotSupportedException)
            {
                Answer(new { error = failure.Message });
            }
        }
    }

    private object Measure(string[] words)
    {
        if (words.Length != 4) throw new FormatException("expected: OPERATION PRECISION SIZES SECONDS");
        ProductPrecision precision = words[1] switch
        {
            "fp32" => ProductPrecision.Float32,
            "tf32" => ProductPrecision.Tf32,
            "bf16" => ProductPrecision.BFloat16,
            "fp16" => ProductPrecision.Float16,
            _ => throw new FormatException($"no precision is called '{words[1]}'; there are fp32, tf32, bf16, fp16"),
        };
        int[] sizes = [.. words[2].Split('x').Select(size => int.Parse(size, CultureInfo.InvariantCulture))];
        using MemoryScope scope = MemoryScope.Begin();
        Work work = Operations.Make(words[0], sizes, precision, device.Device);
        List<double> seconds = Time(work.Run, double.Parse(words[3], CultureInfo.InvariantCulture));
        return new { milliseconds = seconds.Select(s => Math.Round(1000 * s, 6)), bytes = work.Bytes };
    }

    /// <summary>Times of one run each, by the device's clock, over as many runs as make a sample long enough.</summary>
    private List<double> Time(Action work, double seconds)
    {
        using CudaEvent start = new(device), end = new(device);
        Sample(work, 1, start, end);
        int runs = Math.Clamp((int)(SecondsPerSample / Math.Max(1e-9, Sample(work, 1, start, end))), 1, MostPerSample);
        List<double> samples = [];
        for (double total = 0; samples.Count == 0 || total < seconds; total += samples[^1] * runs) samples.Add(Sample(work, runs, start, end));
        return samples;
    }

    private double Sample(Action work, int runs, CudaEvent start, CudaEvent end)
    {
        start.Record(device.Stream);
        for (int i = 0; i < runs; i++)
        {
            using MemoryScope scope = MemoryScope.Begin();
            work();
        }
        end.Record(device.Stream);
        end.Synchronize();
        return end.SecondsSince(start) / runs;
    }

    private void Answer(object answer)
    {
        answers.WriteLine(JsonSerializer.Serialize(answer));
        answers.Flush();
    }
}
