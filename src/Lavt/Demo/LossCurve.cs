using System.Globalization;
using System.Text;
using Lavt.Training;

namespace Lavt.Demo;

/// <summary>Draws the loss of a run and its scores on the validation split as SVG.</summary>
internal static class LossCurve
{
    private const double Width = 720, Height = 260, Left = 48, Right = 48, Top = 12, Bottom = 32;

    /// <summary>How many points the loss curve has; each is the mean of a run of steps, so that the trend shows.</summary>
    private const int Points = 120;

    /// <summary>The drawing.</summary>
    public static string Draw(IReadOnlyList<StepRecord> steps, IReadOnlyList<ValidationRecord> validations)
    {
        double lastStep = Math.Max(1, steps[^1].Step), highest = steps.Max(step => step.Loss);
        double X(double step) => Left + (Width - Left - Right) * step / lastStep;
        double Y(double part) => Height - Bottom - (Height - Top - Bottom) * part;
        int chunk = Math.Max(1, steps.Count / Points);
        var loss = steps.Chunk(chunk).Select(run => (X(run.Average(step => step.Step)), Y(run.Average(step => step.Loss) / highest)));
        var iou = validations.Select(validation => (X(validation.Step), Y(validation.MeanIou / 100)));
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"Loss and mean IoU over the steps\">");
        svg.Append(CultureInfo.InvariantCulture, $"<path class=\"axis\" d=\"M{Left} {Top}V{Height - Bottom}H{Width - Right}V{Top}\"/>");
        svg.Append(CultureInfo.InvariantCulture, $"<polyline class=\"loss\" points=\"{Path(loss)}\"/><polyline class=\"iou\" points=\"{Path(iou)}\"/>");
        Label(svg, Left - 6, Y(1) + 8, "end", highest.ToString("F2", CultureInfo.InvariantCulture));
        Label(svg, Left - 6, Y(0), "end", "0");
        Label(svg, Width - Right + 6, Y(1) + 8, "start", "100 %");
        Label(svg, Width - Right + 6, Y(0), "start", "0 %");
        Label(svg, Width / 2, Height - 8, "middle", string.Create(CultureInfo.InvariantCulture, $"{lastStep} steps; left the loss, right the mean IoU on val"));
        return svg.Append("</svg>").ToString();
    }

    private static string Path(IEnumerable<(double X, double Y)> points) =>
        string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{point.X:F1},{point.Y:F1}")));

    private static void Label(StringBuilder svg, double x, double y, string anchor, string text) =>
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x:F0}\" y=\"{y:F0}\" text-anchor=\"{anchor}\">{text}</text>");
}
