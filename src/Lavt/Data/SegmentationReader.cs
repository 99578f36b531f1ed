using System.Text.Json;

namespace Lavt.Data;

/// <summary>Reads the "segmentation" of a COCO annotation: a list of polygons, or run lengths as numbers or as a string.</summary>
internal static class SegmentationReader
{
    /// <summary>Reads the value that the reader stands at.</summary>
    /// <exception cref="FormatException">The value is no segmentation.</exception>
    /// <exception cref="InvalidOperationException">A number was expected and something else came.</exception>
    public static Segmentation Read(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.StartArray => ReadPolygons(ref reader),
        JsonTokenType.StartObject => ReadRuns(ref reader),
        _ => throw new FormatException($"a segmentation is a list or an object, this is {reader.TokenType}"),
    };

    private static Segmentation ReadPolygons(ref Utf8JsonReader reader)
    {
        List<double[]> polygons = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartArray) throw new FormatException("a segmentation is a list of lists of numbers");
            List<double> corners = [];
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) corners.Add(reader.GetDouble());
            polygons.Add([.. corners]);
        }
        return Segmentation.FromPolygons([.. polygons]);
    }

    private static Segmentation ReadRuns(ref Utf8JsonReader reader)
    {
        List<long> size = [];
        List<long> counts = [];
        string? compressed = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isSize = reader.ValueTextEquals("size"u8), isCounts = reader.ValueTextEquals("counts"u8);
            reader.Read();
            if (isSize) ReadNumbers(ref reader, size);
            else if (isCounts && reader.TokenType == JsonTokenType.String) compressed = reader.GetString();
            else if (isCounts) ReadNumbers(ref reader, counts);
            else reader.Skip();
        }
        if (size.Count != 2 || size.Exists(side => side is < 0 or > int.MaxValue)) throw new FormatException("run lengths come with a size of height and width");
        if (counts.Exists(count => count is < 0 or > uint.MaxValue)) throw new FormatException("a run length is negative or too large");
        return Segmentation.FromRuns(compressed is not null
            ? Rle.Parse(compressed, (int)size[0], (int)size[1])
            : Rle.FromCounts([.. counts.Select(count => (uint)count)], (int)size[0], (int)size[1]));
    }

    private static void ReadNumbers(ref Utf8JsonReader reader, List<long> into)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw new FormatException("size and counts are lists of numbers");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) into.Add(reader.GetInt64());
    }
}
