using System.Security.Cryptography;
using System.Text.Json;
using Lavt.Data;
using Lavt.Imaging;
using Lavt.Text;

namespace Lavt.Golden;

/// <summary>Checks pictures, resizing, polygons, word pieces and HDF5 masks, byte for byte.</summary>
internal static class DataChecks
{
    /// <summary>Checks the cases that a <c>.json</c> file lists, by the folder it lies in.</summary>
    public static void Run(string path, GoldenReport report)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!, kind = Path.GetFileName(folder);
        if (Path.GetFileName(path) == "polygons.json") Polygons(path, report);
        else if (Path.GetFileName(path) != "cases.json") return;
        else if (kind == "jpeg") Jpegs(folder, Cases(path), report);
        else if (kind == "resize") Resizes(folder, Cases(path), report);
        else if (kind == "tokenizer") WordPieces(path, folder, report);
        else if (kind == "measures") MeasureChecks.Run(path, folder, report);
        else if (kind == "hdf5") Hdf5Checks.Run(folder, report);
        else report.Skip(path, $"'{kind}' is not a part of this build");
    }

    private static JsonElement[] Cases(string path) => [.. JsonDocument.Parse(File.ReadAllBytes(path)).RootElement.GetProperty("cases").EnumerateArray()];

    private static void Jpegs(string folder, JsonElement[] cases, GoldenReport report)
    {
        foreach (JsonElement test in cases)
        {
            string name = $"picture_{test.GetProperty("case").GetInt32()}";
            Picture actual = Picture.Load(Path.Combine(folder, name + ".jpg")), expected = Picture.Load(Path.Combine(folder, name + ".png"));
            report.Check("data/jpeg", name, Same(actual, expected), $"{actual.Rows}x{actual.Columns} pixels");
        }
        foreach (string broken in Directory.EnumerateFiles(folder, "*.jpg").Where(f => !Path.GetFileName(f).StartsWith("picture_", StringComparison.Ordinal)))
        {
            PictureException? refusal = null;
            try
            {
                Picture.Load(broken);
            }
            catch (PictureException expected)
            {
                refusal = expected;
            }
            string name = Path.GetFileName(broken);
            report.Check("data/jpeg", name, refusal is not null && refusal.Message.Contains(name, StringComparison.Ordinal), refusal?.Message ?? "was read without an error");
        }
    }

    private static void Resizes(string folder, JsonElement[] cases, GoldenReport report)
    {
        foreach (JsonElement test in cases)
        {
            int number = test.GetProperty("case").GetInt32(), rows = test.GetProperty("target")[0].GetInt32(), columns = test.GetProperty("target")[1].GetInt32();
            Picture bilinear = Resize.Bilinear(Picture.Load(Path.Combine(folder, $"source_{number}.png")), rows, columns);
            report.Check("data/resize", $"bilinear {number}", Same(bilinear, Picture.Load(Path.Combine(folder, $"bilinear_{number}.png"))), $"{rows}x{columns} pixels");
            Mask nearest = Resize.Nearest(Mask.Load(Path.Combine(folder, $"mask_{number}.png")), rows, columns);
            report.Check("data/resize", $"nearest {number}", nearest.Pixels.SequenceEqual(Mask.Load(Path.Combine(folder, $"nearest_{number}.png")).Pixels), $"{rows}x{columns} pixels");
        }
    }

    private static void Polygons(string path, GoldenReport report)
    {
        int number = 0;
        foreach (JsonElement test in Cases(path))
        {
            int rows = test.GetProperty("height").GetInt32(), columns = test.GetProperty("width").GetInt32();
            double[][] polygons = [.. test.GetProperty("polygons").EnumerateArray().Select(p => p.EnumerateArray().Select(v => v.GetDouble()).ToArray())];
            string[] compressed = [.. test.GetProperty("compressed").EnumerateArray().Select(c => c.GetString()!)];
            string[] actual = [.. polygons.Select(p => PolygonRasterizer.Rasterize(p, rows, columns).ToString())];
            report.Check("data/polygons", $"run lengths {number}", compressed.SequenceEqual(actual), $"{polygons.Length} polygons");
            Mask mask = new();
            Segmentation.FromPolygons(polygons).Rasterize(rows, columns, mask);
            bool same = Convert.ToHexStringLower(SHA256.HashData(mask.Pixels)) == test.GetProperty("refer_mask_sha256").GetString();
            report.Check("data/polygons", $"mask {number}", same, $"{mask.Area()} pixels");
            number++;
        }
    }

    private static void WordPieces(string path, string folder, GoldenReport report)
    {
        BertTokenizer tokenizer = BertTokenizer.Load(Path.Combine(folder, "vocab.txt"));
        foreach (JsonElement test in Cases(path))
        {
            int[] expected = [.. test.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())];
            string text = test.GetProperty("text").GetString()!;
            int[] actual = tokenizer.Encode(text);
            report.Check("data/tokenizer", JsonSerializer.Serialize(text), actual.SequenceEqual(expected), $"{string.Join(' ', actual)}, expected {string.Join(' ', expected)}");
        }
    }

    private static bool Same(Picture a, Picture b) => a.Rows == b.Rows && a.Columns == b.Columns && a.Pixels.SequenceEqual(b.Pixels);
}
