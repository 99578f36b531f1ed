namespace Lavt.Cli;

/// <summary>What the executables return to the shell.</summary>
public static class ExitCode
{
    /// <summary>All went well.</summary>
    public const int Ok = 0;

    /// <summary>A fault of the program itself.</summary>
    public const int Internal = 1;

    /// <summary>A flag or its value is wrong.</summary>
    public const int Usage = 2;

    /// <summary>Data cannot be read or is broken.</summary>
    public const int Data = 3;

    /// <summary>A checkpoint or weight file is broken, or does not fit the model.</summary>
    public const int Checkpoint = 4;

    /// <summary>Training diverged: the loss is no longer a number.</summary>
    public const int Diverged = 5;

    /// <summary>The device is missing or out of memory, or a native library is missing.</summary>
    public const int Device = 6;

    /// <summary>Another process of the job failed or cannot be reached.</summary>
    public const int Distributed = 7;

    /// <summary>The evaluation finished, and some samples were broken.</summary>
    public const int BrokenSamples = 8;

    /// <summary>A result or checkpoint could not be written, for example on a full disk; what was there before is whole.</summary>
    public const int Output = 9;

    /// <summary>Stopped by Ctrl-C after a checkpoint was saved.</summary>
    public const int Interrupted = 130;

    /// <summary>Stopped by SIGTERM after a checkpoint was saved.</summary>
    public const int Terminated = 143;
}
