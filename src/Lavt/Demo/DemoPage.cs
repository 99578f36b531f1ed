using System.Globalization;
using System.Net;
using System.Text;
using Lavt.Evaluation;
using Lavt.Training;

namespace Lavt.Demo;

/// <summary>The page that shows what the demo did: loss curve, scores and pictures, in one HTML file.</summary>
public sealed record DemoPage
{
    private const string Style = """
        body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
        table{border-collapse:collapse}td,th{padding:.2rem .9rem;text-align:right;border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}
        svg{width:100%;height:auto}.axis{fill:none;stroke:#999}.loss{fill:none;stroke:#c33;stroke-width:2}.iou{fill:none;stroke:#27c;stroke-width:2}svg text{font-size:12px;fill:#555}
        .pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(180px,1fr));gap:1rem}figure{margin:0}img{width:100%;image-rendering:pixelated}
        """;

    /// <summary>The steps of training.</summary>
    public required IReadOnlyList<StepRecord> Steps { get; init; }

    /// <summary>The evaluations between epochs.</summary>
    public required IReadOnlyList<ValidationRecord> Validations { get; init; }

    /// <summary>The evaluations at the end, each under its heading.</summary>
    public required IReadOnlyList<(string Heading, EvaluationReport Report)> Evaluations { get; init; }

    /// <summary>Pictures with the mask drawn over them: the file, relative to the page, and its caption.</summary>
    public required IReadOnlyList<(string File, string Caption)> Pictures { get; init; }

    /// <summary>How long everything took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>Writes the page.</summary>
    public void Save(string file) => File.WriteAllText(file, Render());

    private string Render()
    {
        var html = new StringBuilder();
        html.Append("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">")
            .Append("<title>LAVT demo</title><style>").Append(Style).Append("</style><h1>LAVT demo</h1>")
            .Append(CultureInfo.InvariantCulture, $"<p>A small LAVT, trained from scratch on drawn scenes: {Steps.Count} steps, {Duration.TotalSeconds:F0} s in all.</p>")
            .Append("<h2>Training</h2>").Append(LossCurve.Draw(Steps, Validations));
        RenderScores(html);
        html.Append("<h2>Masks</h2><div class=\"pictures\">");
        foreach ((string picture, string caption) in Pictures)
        {
            html.Append(CultureInfo.InvariantCulture,
                $"<figure><img src=\"{WebUtility.HtmlEncode(picture)}\" alt=\"\"><figcaption>{WebUtility.HtmlEncode(caption)}</figcaption></figure>");
        }
        return html.Append("</div></html>\n").ToString();
    }

    private void RenderScores(StringBuilder html)
    {
        html.Append("<h2>Scores</h2><table><tr><th>in per cent");
        foreach ((string heading, _) in Evaluations)
            html.Append("<th>").Append(WebUtility.HtmlEncode(heading));
        Row("mean IoU", scores => scores.MeanIou);
        Row("overall IoU", scores => scores.OverallIou);
        foreach (string threshold in Evaluations[0].Report.Scores.Precision.Keys)
            Row("precision@" + threshold, scores => scores.Precision[threshold]);
        html.Append("</table>");

        void Row(string name, Func<Scores, double> value)
        {
            html.Append("<tr><td>").Append(name);
            foreach ((_, EvaluationReport report) in Evaluations)
                html.Append(CultureInfo.InvariantCulture, $"<td>{value(report.Scores):F2}");
        }
    }
}
