using System.Globalization;
using System.Text.Json;
using System.Xml.Linq;
using Lavt.Evaluation;
using Lavt.Kernels;
using Xunit;

namespace Lavt.Tests.Evaluation;

public class BenchmarkReportTests
{
    private static readonly BenchmarkReport s_report = new()
    {
        Model = "lavt tiny, window 7",
        Step = "forward pass",
        Batch = 1,
        ImageSize = 96,
        Threads = 2,
        Seconds = [0.3, 0.1, 0.2],
        PeakMemoryMib = 100,
        Kernels = [new KernelTime("Gemm 2 x 3 -> 4", 6, 0.3, 150e9, 3e9), new KernelTime("Elementwise.Gate", 3, 0.15, 0, 0)],
        Peak = new MachinePeak(1000e9, 20e9),
    };

    [Fact]
    public void The_table_gives_milliseconds_and_calls_per_step_rates_and_the_rest()
    {
        string[] rows = s_report.ToString().Split('\n', StringSplitOptions.TrimEntries);
        Assert.Equal(["Gemm", "2", "x", "3", "->", "4", "100.000", "50.0", "%", "2", "500", "10", "50", "%"], Words(rows[1]));
        Assert.Equal(["Elementwise.Gate", "50.000", "25.0", "%", "1"], Words(rows[2]));
        Assert.Equal(["outside", "kernels", "50.000", "25.0", "%"], Words(rows[3]));
        Assert.Contains("median 0.200 s, fastest 0.100 s of 3", rows[5]);
    }

    [Fact]
    public void A_report_is_saved_as_json_with_its_kernels()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("lavt").FullName, "new", "profile.json");
        s_report.Save(file);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(file));
        JsonElement kernel = document.RootElement.GetProperty("kernels")[0];
        Assert.Equal(("Gemm 2 x 3 -> 4", 150e9), (kernel.GetProperty("name").GetString(), kernel.GetProperty("flops").GetDouble()));
        Assert.Equal(20e9, document.RootElement.GetProperty("peak").GetProperty("bytes").GetDouble());
    }

    [Fact]
    public void A_roofline_draws_the_kernels_whose_operations_are_counted()
    {
        XElement svg = XElement.Parse(RooflinePicture.Draw(s_report));
        XElement disc = Assert.Single(svg.Elements(), element => element.Name.LocalName == "circle");
        Assert.Equal("Gemm 2 x 3 -> 4: 500 GF/s, 50 % of the peak, 66.7 % of the time", disc.Value);
        // 50 operations per byte are the ridge of these peaks, half of what it allows lies below it.
        double[] roof = [.. svg.Elements().Single(element => element.Attribute("stroke")?.Value == "#000").Attribute("d")!.Value.Split('M', 'L', 'H', ' ')
            .Where(number => number.Length > 0).Select(number => double.Parse(number, CultureInfo.InvariantCulture))];
        Assert.Equal(roof[2], double.Parse(disc.Attribute("cx")!.Value, CultureInfo.InvariantCulture), 0.1);
        Assert.True(double.Parse(disc.Attribute("cy")!.Value, CultureInfo.InvariantCulture) > roof[3]);
        Assert.Throws<ArgumentException>(() => RooflinePicture.Draw(s_report with { Peak = null }));
    }

    [Fact]
    public void Peaks_that_were_measured_are_those_of_a_machine()
    {
        MachinePeak peak = MachinePeak.Measure();
        Assert.InRange(peak.Flops, 1e8, 1e14);
        Assert.InRange(peak.Bytes, 1e8, 1e13);
        Assert.Equal(0.5, new MachinePeak(100, 10).ShareOf(new KernelTime("k", 1, 2, 100, 4)));
    }

    private static string[] Words(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
