using System.Runtime.ExceptionServices;

namespace Lavt.Evaluation;

/// <summary>What an evaluation writes beside its scores. Where that fails, as on a full disk, the evaluation goes on without it.</summary>
/// <typeparam name="T">What is written.</typeparam>
/// <param name="write">Writes one.</param>
public sealed class SideOutput<T>(Action<T> write)
{
    private ExceptionDispatchInfo? _failure;

    /// <summary>Writes one, unless one before it could not be written.</summary>
    public void Add(T item)
    {
        if (_failure is not null) return;
        try
        {
            write(item);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _failure = ExceptionDispatchInfo.Capture(error);
        }
    }

    /// <summary>Throws what kept one from being written; call it when the scores are shown and saved.</summary>
    /// <exception cref="IOException">The disk is full or failed.</exception>
    public void Finish() => _failure?.Throw();
}
