using Lavt.Cli;
using Xunit;

namespace Lavt.Tests.Cli;

public class LavtExecutableTests
{
    [Fact]
    public void Version_is_one_line_on_standard_output()
    {
        Executable run = Executable.Run("lavt", "--version");
        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Matches(@"^lavt \d+\.\d+\.\d+\S*\n$", run.Output);
        Assert.Empty(run.Errors);
    }

    [Fact]
    public void Help_shows_examples_first()
    {
        Executable run = Executable.Run("lavt", "--help");
        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.True(run.Output.IndexOf("Examples", StringComparison.Ordinal) < run.Output.IndexOf("Commands", StringComparison.Ordinal));
        Assert.Contains("doctor", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("demo", "--seed")]
    [InlineData("golden", "--precision")]
    [InlineData("convert", "FROM")]
    [InlineData("predict", "--swin_type")]
    public void Help_shows_everything_that_a_command_takes(string command, string shown) =>
        Assert.Contains($"\n  {shown} ", Executable.Run("lavt", command, "--help").Output, StringComparison.Ordinal);

    [Fact]
    public void A_misspelt_command_is_a_usage_error_with_a_suggestion()
    {
        Executable run = Executable.Run("lavt", "doctro");
        Assert.Equal(ExitCode.Usage, run.ExitCode);
        Assert.Equal("error: doctro: no such command; did you mean doctor?\n", run.Errors);
        Assert.Empty(run.Output);
    }

    [Fact]
    public void Doctor_names_every_library()
    {
        Executable run = Executable.Run("lavt", "doctor");
        Assert.Contains("libturbojpeg.so.0", run.Output, StringComparison.Ordinal);
        Assert.Contains("libspng.so.0", run.Output, StringComparison.Ordinal);
        Assert.Equal(run.Output.Contains("MISSING", StringComparison.Ordinal) ? ExitCode.Device : ExitCode.Ok, run.ExitCode);
    }
}
