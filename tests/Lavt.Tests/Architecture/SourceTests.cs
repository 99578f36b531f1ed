using Xunit;

namespace Lavt.Tests.Architecture;

/// <summary>Rules about the source files themselves.</summary>
public class SourceTests
{
    private const int LongestFile = 600;

    private static IEnumerable<string> SourceFiles()
    {
        string root = RepositoryRoot();
        return new[] { "src", "tests", "bench" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(root, folder), "*.cs", SearchOption.AllDirectories))
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal));
    }

    private static string RepositoryRoot()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Lavt.sln")))
            folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("no folder above the tests holds Lavt.sln");
        return folder;
    }

    [Fact]
    public void Files_stay_short()
    {
        IEnumerable<string> tooLong = SourceFiles()
            .Select(file => (Name: Path.GetFileName(file), Lines: File.ReadLines(file).Count()))
            .Where(file => file.Lines > LongestFile)
            .Select(file => $"{file.Name}: {file.Lines} lines");
        Assert.Empty(tooLong);
    }

    [Fact]
    public void No_work_is_left_for_later()
    {
        string[] marks = ["TO" + "DO", "FIX" + "ME", "Not" + "ImplementedException"];
        IEnumerable<string> found = SourceFiles()
            .SelectMany(file => File.ReadLines(file).Select((line, index) => (File: Path.GetFileName(file), Line: index + 1, Text: line)))
            .Where(line => marks.Any(mark => line.Text.Contains(mark, StringComparison.Ordinal)))
            .Select(line => $"{line.File}:{line.Line}");
        Assert.Empty(found);
    }
}
