using System.Runtime.InteropServices;

namespace Lavt.Cli;

/// <summary>
/// Turns the first Ctrl-C or SIGTERM into a request to stop, so that a checkpoint can be written; the second one ends the
/// process at once.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration[] _registrations;

    /// <summary>Begins to listen.</summary>
    public Interruption()
    {
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle),
        ];
    }

    /// <summary>Is cancelled at the first signal.</summary>
    public CancellationToken Token => _stop.Token;

    /// <summary>The exit code that tells the shell which signal it was.</summary>
    public int ExitCode { get; private set; } = Cli.ExitCode.Interrupted;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
        _stop.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        if (_stop.IsCancellationRequested)
            return;
        context.Cancel = true;
        ExitCode = context.Signal == PosixSignal.SIGTERM ? Cli.ExitCode.Terminated : Cli.ExitCode.Interrupted;
        Terminal.Note("stopping after this step; once more to stop at once, without saving");
        _stop.Cancel();
    }
}
