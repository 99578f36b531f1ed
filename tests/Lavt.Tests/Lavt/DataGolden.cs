using System.Text.Json;

namespace Lavt.Tests.Data;

/// <summary>Finds and reads the golden files of pictures, masks, texts and data sets.</summary>
internal static class DataGolden
{
    public static string Folder { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Folder, .. parts]);

    public static JsonElement Json(params string[] parts) => JsonDocument.Parse(File.ReadAllBytes(Path(parts))).RootElement;

    public static int Int(this JsonElement element, string name) => element.GetProperty(name).GetInt32();

    public static int[] Ints(this JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];

    /// <summary>A new empty folder that goes away with the returned object.</summary>
    public static TemporaryFolder NewFolder() => new();

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Lavt.sln")))
                return System.IO.Path.Combine(folder.FullName, "tests", "golden", "data");
        }
        throw new DirectoryNotFoundException($"no folder above {AppContext.BaseDirectory} holds Lavt.sln");
    }

    internal sealed class TemporaryFolder : IDisposable
    {
        public string Folder { get; } = Directory.CreateTempSubdirectory("lavt-tests-").FullName;

        public string File(string name, byte[] content)
        {
            string path = System.IO.Path.Combine(Folder, name);
            System.IO.File.WriteAllBytes(path, content);
            return path;
        }

        public void Dispose() => Directory.Delete(Folder, recursive: true);
    }
}
