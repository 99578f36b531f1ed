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
        .videos{grid-template-columns:repeat(auto-fill,minmax(400px,1fr))}figure div{display:flex;gap:2px}figure div img{min-width:0}
        """;

    /// <summary>The steps of training.</summary>
    public required IReadOnlyList<StepRecord> Steps { get; init; }

    /// <summary>The evaluations between epochs.</summary>
    public required IReadOnlyList<ValidationRecord> Validations { get; init; }

    /// <summary>What was trained, as the page's first sentence says it.</summary>
    public required string Introduction { get; init; }

    /// <summary>The scores at the end in per cent: a column under its heading for each evaluation, with the same rows.</summary>
    public required IReadOnlyList<(string Heading, IReadOnlyList<(string Name, double Value)> Rows)> Evaluations { get; init; }

    /// <summary>Pictures with the mask drawn over them: the files side by side (the frames of a video), relative to the page, and their caption.</summary>
    public required IReadOnlyList<(IReadOnlyList<string> Files, string Caption)> Pictures { get; init; }

    /// <summary>How long everything took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The rows of an evaluation of pictures.</summary>
    public static IReadOnlyList<(string Name, double Value)> RowsOf(Scores scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        return [("mean IoU", scores.MeanIou), ("overall IoU", scores.OverallIou), .. scores.Precision.Select(entry => ("precision@" + entry.Key, entry.Value))];
    }

    /// <summary>Writes the page.</summary>
    public void Save(string file) => File.WriteAllText(file, Render());

    private string Render()
    {
        var html = new StringBuilder();
        html.Append("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">")
            .Append("<title>LAVT demo</title><style>").Append(Style).Append("</style><h1>LAVT demo</h1>")
            .Append(CultureInfo.InvariantCulture, $"<p>{WebUtility.HtmlEncode(Introduction)}: {Steps.Count} steps, {Duration.TotalSeconds:F0} s in all.</p>")
            .Append("<h2>Training</h2>").Append(LossCurve.Draw(Steps, Validations));
        RenderScores(html);
        bool areVideos = Pictures.Any(picture => picture.Files.Count > 1);
        html.Append("<h2>Masks</h2><div class=\"pictures").Append(areVideos ? " videos" : "").Append("\">");
        foreach ((IReadOnlyList<string> files, string caption) in Pictures)
        {
            html.Append("<figure><div>");
            foreach (string file in files) html.Append(CultureInfo.InvariantCulture, $"<img src=\"{WebUtility.HtmlEncode(file)}\" alt=\"\">");
            html.Append("</div><figcaption>").Append(WebUtility.HtmlEncode(caption)).Append("</figcaption></figure>");
        }
        return html.Append("</div></html>\n").ToString();
    }

    private void RenderScores(StringBuilder html)
    {
        html.Append("<h2>Scores</h2><table><tr><th>in per cent");
        foreach ((string heading, _) in Evaluations)
            html.Append("<th>").Append(WebUtility.HtmlEncode(heading));
        for (int row = 0; row < Evaluations[0].Rows.Count; row++)
        {
            html.Append("<tr><td>").Append(WebUtility.HtmlEncode(Evaluations[0].Rows[row].Name));
            foreach ((_, IReadOnlyList<(string Name, double Value)> rows) in Evaluations)
                html.Append(CultureInfo.InvariantCulture, $"<td>{rows[row].Value:F2}");
        }
        html.Append("</table>");
    }
}
