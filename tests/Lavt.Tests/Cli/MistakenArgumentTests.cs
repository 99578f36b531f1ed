using Lavt.Cli;
using Xunit;

namespace Lavt.Tests.Cli;

/// <summary>What users see when they name something else than what is wanted: one message that names it, and an exit code.</summary>
public sealed class MistakenArgumentTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lavt-arguments").FullName;

    public MistakenArgumentTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "data"));
        File.WriteAllText(Path.Combine(_folder, "data", "notes.json"), "{}");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("convert nowhere.pth to.pth", ExitCode.Checkpoint, "nowhere.pth", "no such file")]
    [InlineData("convert data to.pth", ExitCode.Checkpoint, "data", "a folder")]
    [InlineData("convert data/notes.json to.txt", ExitCode.Usage, "to.txt", ".safetensors")]
    [InlineData("golden data/notes.json", ExitCode.Data, "notes.json", "no golden files")]
    [InlineData("bench --runs many", ExitCode.Usage, "--runs", "'many'")]
    [InlineData("predict --image data --text circle --resume nowhere.pth", ExitCode.Data, "data", "a folder")]
    [InlineData("eval --split val --resume nowhere.pth --json data/notes.json/results.json", ExitCode.Output, "data/notes.json", "cannot be made")]
    [InlineData("eval --split val --resume nowhere.pth --json data", ExitCode.Output, "data", "a folder")]
    [InlineData("", ExitCode.Usage, "no command", "--help")]
    public void What_is_given_for_something_else(string arguments, int code, string first, string second) =>
        BadInputTests.AssertFails(Executable.RunIn(_folder, "lavt", arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)), code, first, second);

    [Fact]
    public void A_sentence_without_words() =>
        BadInputTests.AssertFails(Executable.RunIn(_folder, "lavt", "predict", "--image", "data", "--text", " ", "--resume", "nowhere.pth"), ExitCode.Usage, "--text", "no words");
}
