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
    private const int MaxComplaint = 300;
    private static readonly string[] s_serious = ["partial file", "Invalid data found"];
    private static string[]? s_passthrough;
    private readonly Process _process;
    private readonly StringBuilder _complaint = new();

    private Ffmpeg(Process process)
    {
        _process = process;
        process.ErrorDataReceived += (_, line) => Note(line.Data);
        process.BeginErrorReadLine();
    }

    /// <summary>What it writes.</summary>
    public Stream Output => _process.StandardOutput.BaseStream;

    /// <summary>What it reads.</summary>
    public Stream Input => _process.StandardInput.BaseStream;

    /// <summary>The flags that keep every frame once, whatever its time; releases before 5.1 know another name for them.</summary>
    public static string[] Passthrough => s_passthrough ??= KnowsFrameMode() ? ["-fps_mode", "passthrough"] : ["-vsync", "0"];

    /// <summary>Starts it.</summary>
    /// <param name="arguments">Its arguments, but for those that keep it quiet.</param>
    /// <param name="withInput">Whether it reads standard input.</param>
    /// <param name="program">Another program in its place, for tests.</param>
    /// <param name="quiet">Whether the arguments that keep it quiet are added.</param>
    /// <exception cref="MissingProgramException">It is not installed.</exception>
    public static Ffmpeg Start(IEnumerable<string> arguments, bool withInput = false, string? program = null, bool quiet = true)
    {
        string[] flags = !quiet ? [] : withInput ? ["-v", "error"] : ["-nostdin", "-v", "error"];
        ProcessStartInfo start = new(program ?? "ffmpeg", [.. flags, .. arguments])
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

    /// <summary>
    /// Waits for the end; null if all went well, otherwise what it complained about. Frames that it could not decode are left
    /// out, so that all behind them would have wrong numbers; what it only had to patch up is no reason to complain.
    /// </summary>
    public string? Finish()
    {
        _process.WaitForExit();
        string text;
        lock (_complaint) text = _complaint.ToString().Trim().Replace("\n", "; ", StringComparison.Ordinal);
        if (_process.ExitCode == 0 && !Array.Exists(s_serious, mark => text.Contains(mark, StringComparison.Ordinal))) return null;
        return text.Length > 0 ? text : $"exit code {_process.ExitCode}";
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
            if (_complaint.Length < MaxComplaint || Array.Exists(s_serious, mark => line.Contains(mark, StringComparison.Ordinal) && _complaint.Length < 2 * MaxComplaint))
                _complaint.Append(line).Append('\n');
        }
    }
}
