using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using Lavt.Imaging;

namespace Lavt.Video;

/// <summary>A program that is needed and not installed. The message says how to get it.</summary>
public sealed class MissingProgramException(string message, Exception inner) : Exception(message, inner);

/// <summary>
/// One run of ffmpeg as a child process, which keeps its libraries, its licence and its crashes out of this one.
/// </summary>
internal sealed class Ffmpeg : IDisposable
{
    private const int MaxComplaint = 2000;
    private static string[]? s_passthrough;
    private readonly Process _process;
    private readonly StringBuilder _complaint = new();

    private Ffmpeg(Process process)
    {
        _process = process;
        process.ErrorDataReceived += (_, line) => Note(line.Data);
        process.BeginErrorReadLine();
    }

    /// <summary>The program that is run; tests name one that does not exist.</summary>
    public static string Program { get; } = "ffmpeg";

    /// <summary>What it writes.</summary>
    public Stream Output => _process.StandardOutput.BaseStream;

    /// <summary>What it reads.</summary>
    public Stream Input => _process.StandardInput.BaseStream;

    /// <summary>The flags that keep every frame once, whatever its time; releases before 5.1 know another name for them.</summary>
    public static string[] Passthrough => s_passthrough ??= KnowsFrameMode() ? ["-fps_mode", "passthrough"] : ["-vsync", "0"];

    /// <summary>Starts it.</summary>
    /// <param name="arguments">Its arguments, but for those that keep it quiet.</param>
    /// <param name="withInput">Whether it reads standard input.</param>
    /// <param name="program">The program.</param>
    /// <exception cref="MissingProgramException">It is not installed.</exception>
    public static Ffmpeg Start(IEnumerable<string> arguments, bool withInput = false, string? program = null)
    {
        string[] quiet = withInput ? ["-v", "error"] : ["-nostdin", "-v", "error"];
        ProcessStartInfo start = new(program ?? Program, [.. quiet, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = withInput,
        };
        try
        {
            return new Ffmpeg(Process.Start(start)!);
        }
        catch (Win32Exception failure)
        {
            throw new MissingProgramException(
                $"video files need the program {start.FileName}, which is not installed or not in PATH: on Debian and Ubuntu, apt-get install ffmpeg; for A2D, frames as pictures in pngs320H do without it", failure);
        }
    }

    /// <summary>Waits for the end; null if all went well, otherwise what it complained about.</summary>
    public string? Finish()
    {
        _process.WaitForExit();
        lock (_complaint)
        {
            string text = _complaint.ToString().Trim().Replace("\n", "; ", StringComparison.Ordinal);
            if (text.Length > 0) return text;
        }
        return _process.ExitCode == 0 ? null : $"exit code {_process.ExitCode}";
    }

    /// <summary>Ends the process if it still runs.</summary>
    public void Dispose()
    {
        try
        {
            if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It ended by itself in between.
        }
        _process.WaitForExit();
        _process.Dispose();
    }

    /// <summary>The error of a video that cannot be decoded.</summary>
    public static PictureException Broken(string path, string? complaint) =>
        new(path, $"the video is cut off, damaged or none at all ({complaint ?? "it has no frames"})", PictureException.GetItAgain);

    private static bool KnowsFrameMode()
    {
        using Ffmpeg help = Start(["-h", "full"]);
        using StreamReader reader = new(help.Output);
        return reader.ReadToEnd().Contains("-fps_mode", StringComparison.Ordinal);
    }

    private void Note(string? line)
    {
        if (line is null) return;
        lock (_complaint)
        {
            if (_complaint.Length < MaxComplaint) _complaint.Append(line).Append('\n');
        }
    }
}
