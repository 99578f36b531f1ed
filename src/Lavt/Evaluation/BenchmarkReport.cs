using System.Globalization;
using System.Text;
using Lavt.Kernels;

namespace Lavt.Evaluation;

/// <summary>How long a model took, and where the time went.</summary>
public sealed record BenchmarkReport
{
    /// <summary>The model, such as "lavt_one base, window 12".</summary>
    public required string Model { get; init; }

    /// <summary>What was repeated: "forward pass" or "training step".</summary>
    public required string Step { get; init; }

    /// <summary>Pictures at once.</summary>
    public required int Batch { get; init; }

    /// <summary>Rows and columns of the pictures.</summary>
    public required int ImageSize { get; init; }

    /// <summary>Threads that computed.</summary>
    public required int Threads { get; init; }

    /// <summary>The time of every step in order, in seconds.</summary>
    public required IReadOnlyList<double> Seconds { get; init; }

    /// <summary>The most memory that the process had, in MiB.</summary>
    public required long PeakMemoryMib { get; init; }

    /// <summary>The kernels of all steps together, those that took longest first; null: not measured.</summary>
    public IReadOnlyList<KernelTime>? Kernels { get; init; }

    /// <summary>What the machine can do with these threads; null: not measured.</summary>
    public MachinePeak? Peak { get; init; }

    /// <summary>Writes the report as JSON.</summary>
    /// <exception cref="IOException">The file could not be written; one that was there is whole.</exception>
    public void Save(string file) => ReportFile.Save(file, this);

    /// <summary>The figures for people: the kernels, if they were measured, and the times of steps.</summary>
    public override string ToString()
    {
        double[] sorted = [.. Seconds.Order()];
        var text = new StringBuilder();
        if (Kernels is not null) WriteKernels(text, Kernels);
        if (Peak is { } peak)
            text.AppendLine(CultureInfo.InvariantCulture, $"peak of {Threads} thread(s): {peak.Flops / 1e9:F0} GF/s of multiply-adds, {peak.Bytes / 1e9:F0} GB/s from memory");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"{Step}, batch {Batch}, {ImageSize} x {ImageSize}: median {sorted[sorted.Length / 2]:F3} s, fastest {sorted[0]:F3} s of {sorted.Length}; at most {PeakMemoryMib} MiB");
        return text.ToString();
    }

    private void WriteKernels(StringBuilder text, IReadOnlyList<KernelTime> kernels)
    {
        double steps = Seconds.Count, total = Seconds.Sum();
        int width = Math.Max(16, kernels.Select(kernel => kernel.Name.Length).DefaultIfEmpty().Max());
        text.AppendLine(CultureInfo.InvariantCulture, $"{"kernel".PadRight(width)}{"ms",10}{"share",8}{"calls",8}{"GF/s",8}{"GB/s",8}{"of peak",9}");
        foreach (KernelTime kernel in kernels)
        {
            Row(kernel.Name, kernel.Seconds, (kernel.Calls / steps).ToString("0.#", CultureInfo.InvariantCulture),
                Rate(kernel.Flops, kernel.Seconds), Rate(kernel.Bytes, kernel.Seconds), Share(kernel));
        }
        Row("outside kernels", total - kernels.Sum(kernel => kernel.Seconds), "", "", "", "");

        void Row(string name, double seconds, string calls, string flops, string bytes, string peak) => text.AppendLine(CultureInfo.InvariantCulture,
            $"{name.PadRight(width)}{1000 * seconds / steps,10:F3}{seconds / total,8:P1}{calls,8}{flops,8}{bytes,8}{peak,9}");
    }

    private string Share(KernelTime kernel) =>
        Peak is { } peak && kernel.Flops + kernel.Bytes > 0 ? peak.ShareOf(kernel).ToString("P0", CultureInfo.InvariantCulture) : "";

    private static string Rate(double amount, double seconds) =>
        amount == 0 ? "" : (amount / seconds / 1e9).ToString("F0", CultureInfo.InvariantCulture);
}
