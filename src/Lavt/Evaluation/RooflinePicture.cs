using System.Globalization;
using System.Net;
using System.Text;
using Lavt.Kernels;

namespace Lavt.Evaluation;

/// <summary>
/// Draws kernels below the roofline of the machine as SVG (Williams, Waterman, Patterson: Roofline, CACM 2009): operations per
/// byte to the right, operations per second upwards, both by logarithms; a disc's area is the kernel's share of the time.
/// Kernels whose operations are not counted, for they only move memory, are left out.
/// </summary>
public sealed class RooflinePicture
{
    private const double Width = 960, Height = 520, Left = 64, Right = 20, Top = 20, Bottom = 48;
    private const double LeastIntensity = 1, MostIntensity = 1000, LeastRate = 1e10;
    private const int Names = 8;

    private static readonly (string Prefix, string Colour)[] s_families =
        [("Gemm", "#27c"), ("Winograd", "#c33"), ("WindowAttention", "#2a2"), ("WordAttention", "#a3a"), ("", "#777")];

    private readonly StringBuilder _svg = new();
    private readonly MachinePeak _peak;
    private readonly KernelTime[] _kernels;
    private readonly double _seconds;

    private RooflinePicture(IReadOnlyList<KernelTime> kernels, MachinePeak peak)
    {
        _peak = peak;
        _seconds = kernels.Sum(kernel => kernel.Seconds);
        _kernels = [.. kernels.Where(kernel => kernel.Flops > 0 && kernel.Bytes > 0 && kernel.Flops / kernel.Seconds >= LeastRate)];
    }

    /// <summary>The drawing.</summary>
    /// <param name="report">A report with kernels and the machine's peak.</param>
    /// <exception cref="ArgumentException">The report has no kernels or no peak.</exception>
    public static string Draw(BenchmarkReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        if (report.Kernels is not { } kernels || report.Peak is not { } peak)
            throw new ArgumentException("a roofline needs a report with kernels and the machine's peak; measure both", nameof(report));
        var picture = new RooflinePicture(kernels, peak);
        picture.Append($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"12\">\n");
        picture.Append($"<rect width=\"{Width}\" height=\"{Height}\" fill=\"#fff\"/>\n");
        picture.DrawGrid();
        picture.Text(Width / 2, Height - 10, "middle", "#333",
            $"floating-point operations per byte; upwards GF/s: {report.Model}, {report.Step}, batch {report.Batch}, {report.Threads} threads");
        picture.DrawRoof();
        picture.DrawKernels();
        picture.NameLongest();
        return picture._svg.Append("</svg>\n").ToString();
    }

    private double X(double intensity) => Left + (Width - Left - Right) * Part(intensity, LeastIntensity, MostIntensity);

    private double Y(double rate) => Height - Bottom - (Height - Top - Bottom) * Part(rate, LeastRate, 2 * _peak.Flops);

    private void DrawGrid()
    {
        foreach (double mark in Marks(LeastIntensity, MostIntensity))
        {
            Append($"<path d=\"M{X(mark):F1} {Top}V{Height - Bottom}\" stroke=\"#ddd\"/>\n");
            Text(X(mark), Height - Bottom + 16, "middle", "#333", mark.ToString("0", CultureInfo.InvariantCulture));
        }
        foreach (double mark in Marks(LeastRate, 2 * _peak.Flops))
        {
            Append($"<path d=\"M{Left} {Y(mark):F1}H{Width - Right}\" stroke=\"#ddd\"/>\n");
            Text(Left - 6, Y(mark) + 4, "end", "#333", (mark / 1e9).ToString("0", CultureInfo.InvariantCulture));
        }
    }

    private void DrawRoof()
    {
        double ridge = _peak.Flops / _peak.Bytes;
        Append($"<path d=\"M{X(LeastIntensity):F1} {Y(_peak.Bytes * LeastIntensity):F1}L{X(ridge):F1} {Y(_peak.Flops):F1}H{Width - Right}\" fill=\"none\" stroke=\"#000\" stroke-width=\"2\"/>\n");
        Text(Width - Right, Y(_peak.Flops) - 8, "end", "#333",
            string.Create(CultureInfo.InvariantCulture, $"{_peak.Flops / 1e9:0} GF/s of multiply-adds, {_peak.Bytes / 1e9:0} GB/s from memory"));
    }

    private void DrawKernels()
    {
        foreach (KernelTime kernel in _kernels)
        {
            double radius = Math.Max(2, 60 * Math.Sqrt(kernel.Seconds / _seconds));
            Append($"<circle cx=\"{X(kernel.Flops / kernel.Bytes):F1}\" cy=\"{Y(kernel.Flops / kernel.Seconds):F1}\" r=\"{radius:F1}\" ");
            Append($"fill=\"{Colour(kernel)}\" fill-opacity=\"0.35\" stroke=\"{Colour(kernel)}\"><title>{WebUtility.HtmlEncode(Describe(kernel))}</title></circle>\n");
        }
    }

    /// <summary>A list of the kernels that take longest: next to their discs the names would cover one another.</summary>
    private void NameLongest()
    {
        double y = Height - Bottom - 16 * Math.Min(Names, _kernels.Length);
        foreach (KernelTime kernel in _kernels.Take(Names))
        {
            Text(Width - Right - 8, y, "end", Colour(kernel), Describe(kernel));
            y += 16;
        }
    }

    private string Describe(KernelTime kernel) => string.Create(CultureInfo.InvariantCulture,
        $"{kernel.Name}: {kernel.Flops / kernel.Seconds / 1e9:0} GF/s, {100 * _peak.ShareOf(kernel):0} % of the peak, {100 * kernel.Seconds / _seconds:0.0} % of the time");

    private static string Colour(KernelTime kernel) => s_families.First(family => kernel.Name.StartsWith(family.Prefix, StringComparison.Ordinal)).Colour;

    private static double Part(double value, double least, double most) => Math.Log(Math.Clamp(value, least, most) / least) / Math.Log(most / least);

    /// <summary>1, 2, 5, 10 … within the range.</summary>
    private static IEnumerable<double> Marks(double least, double most)
    {
        for (double decade = Math.Pow(10, Math.Floor(Math.Log10(least))); decade <= most; decade *= 10)
            foreach (double mark in (double[])[decade, 2 * decade, 5 * decade])
                if (mark >= least && mark <= most) yield return mark;
    }

    private void Text(double x, double y, string anchor, string colour, string text) =>
        Append($"<text x=\"{x:F1}\" y=\"{y:F1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{WebUtility.HtmlEncode(text)}</text>\n");

    private void Append(FormattableString text) => _svg.Append(text.ToString(CultureInfo.InvariantCulture));
}
