using System.Globalization;

namespace Lavt.Nn.Logging;

/// <summary>
/// Writes curves for TensorBoard: a file <c>events.out.tfevents.*</c> of scalar events. Each run writes a file of its own, so
/// nothing that an earlier run wrote is touched; TensorBoard joins the files of a folder. Thread-safe.
/// </summary>
/// <remarks>
/// Records reach the file whole, and at the latest after <see cref="FlushSeconds"/> seconds. A run that is killed may leave a
/// last record cut off, which readers skip. Sources: TensorFlow's <c>event.proto</c>, <c>summary.proto</c> and
/// <c>record_writer.cc</c> (framing and masked checksums).
/// </remarks>
public sealed class TensorBoardWriter : IDisposable
{
    /// <summary>How long an event may wait in memory, in seconds.</summary>
    public const int FlushSeconds = 10;

    private static int s_files;

    private readonly Lock _gate = new();
    private readonly FileStream _file;
    private readonly TimeProvider _clock;
    private long _flushed;

    /// <summary>Starts a new event file.</summary>
    /// <param name="folder">The run's folder; it is made if it does not exist.</param>
    /// <param name="clock">The clock for wall times; the system's if null.</param>
    /// <exception cref="IOException">The file cannot be made.</exception>
    public TensorBoardWriter(string folder, TimeProvider? clock = null)
    {
        _clock = clock ?? TimeProvider.System;
        _flushed = _clock.GetTimestamp();
        Directory.CreateDirectory(folder);
        long seconds = _clock.GetUtcNow().ToUnixTimeSeconds();
        FilePath = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture,
            $"events.out.tfevents.{seconds:D10}.{Environment.MachineName}.{Environment.ProcessId}.{Interlocked.Increment(ref s_files) - 1}"));
        _file = new FileStream(FilePath, FileMode.CreateNew, FileAccess.Write, FileShare.Read, 1 << 16);
        TensorBoardRecord.Append(_file, TensorBoardRecord.Header(WallTime()));
        Flush();
    }

    /// <summary>The event file.</summary>
    public string FilePath { get; }

    /// <summary>Adds a point to a curve.</summary>
    /// <param name="tag">The curve's name; slashes group curves (<c>train/loss</c>).</param>
    /// <param name="value">The value, stored as float32.</param>
    /// <param name="step">The training step.</param>
    /// <exception cref="IOException">The disk is full or failed.</exception>
    public void Scalar(string tag, double value, long step)
    {
        byte[] record = TensorBoardRecord.Scalar(WallTime(), step, tag, (float)value);
        lock (_gate)
        {
            TensorBoardRecord.Append(_file, record);
            if (_clock.GetElapsedTime(_flushed).TotalSeconds >= FlushSeconds) Flush();
        }
    }

    /// <summary>Hands everything written so far to the operating system, so that readers see it.</summary>
    public void Flush()
    {
        lock (_gate)
        {
            _file.Flush();
            _flushed = _clock.GetTimestamp();
        }
    }

    /// <summary>Writes what is left and closes the file.</summary>
    public void Dispose()
    {
        lock (_gate) _file.Dispose();
    }

    private double WallTime() => _clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;
}
