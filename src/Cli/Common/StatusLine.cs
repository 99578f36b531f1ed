using System.Globalization;
using System.Text;
using Lavt.Training;

namespace Lavt.Cli;

/// <summary>
/// The log of a run on standard error: its lines, and below them, on a terminal, one that shows how far the run is and
/// changes in place.
/// </summary>
internal sealed class StatusLine : ITrainingObserver
{
    private const int BarWidth = 24;
    private const string ClearLine = "\r\e[K";
    private bool _isShown;

    /// <inheritdoc/>
    public void Line(string text)
    {
        Clear();
        Console.Error.WriteLine(text);
    }

    /// <inheritdoc/>
    public void Progress(TrainingProgress progress)
    {
        if (!Terminal.CanRewrite)
            return;
        var text = new StringBuilder(ClearLine);
        int filled = progress.Total == 0 ? 0 : (int)(BarWidth * progress.Done / progress.Total);
        text.Append(CultureInfo.InvariantCulture, $"{progress.Stage} [{new string('#', filled)}{new string('.', BarWidth - filled)}] {progress.Done}/{progress.Total}");
        if (progress.Loss is { } loss)
            text.Append(CultureInfo.InvariantCulture, $"  loss {loss:F4}");
        if (progress.Remaining is { } remaining)
            text.Append(CultureInfo.InvariantCulture, $"  eta {remaining:d\\.hh\\:mm\\:ss}");
        Console.Error.Write(text);
        _isShown = true;
    }

    /// <summary>Takes the changing line away.</summary>
    public void Clear()
    {
        if (_isShown)
            Console.Error.Write(ClearLine);
        _isShown = false;
    }
}
