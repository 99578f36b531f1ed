namespace Lavt.Tests.Nn;

/// <summary>Where the golden files are, and folders for files that a test writes.</summary>
internal static class WeightTestFiles
{
    public static string Golden(string relative) => Path.Combine(Root(), "tests", "golden", relative);

    public static string Root()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Lavt.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("the tests must run below the folder of Lavt.sln");
    }

    /// <summary>A new empty folder; the caller deletes it.</summary>
    public static TemporaryFolder NewFolder() => new();

    internal sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("lavt-test-").FullName;

        public string File(string name) => System.IO.Path.Combine(Path, name);

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
