using System.Text.Encodings.Web;
using System.Text.Json;
using Lavt.Nn.Weights;

namespace Lavt.Evaluation;

/// <summary>Reports as JSON files, with keys in snake case.</summary>
internal static class ReportFile
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // sentences and "->" stay readable
    };

    /// <summary>Writes a report; folders are made.</summary>
    /// <exception cref="IOException">The file could not be written; one that was there is whole.</exception>
    public static void Save<T>(string file, T report)
    {
        OutputPath.MakeFolder(Path.GetDirectoryName(Path.GetFullPath(file))!);
        AtomicFile.Write(file, stream => JsonSerializer.Serialize(stream, report, s_json));
    }

    /// <summary>Reads a report.</summary>
    public static T Load<T>(string file)
    {
        using FileStream stream = File.OpenRead(file);
        return JsonSerializer.Deserialize<T>(stream, s_json)!;
    }
}
