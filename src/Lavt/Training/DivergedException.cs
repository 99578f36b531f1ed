namespace Lavt.Training;

/// <summary>The loss is no longer a number; going on would not repair it.</summary>
public sealed class DivergedException : Exception
{
    /// <summary>The error at a step.</summary>
    /// <param name="step">The step, counted from 1.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="checkpoint">The last good checkpoint, if there is one.</param>
    public DivergedException(long step, double loss, string? checkpoint)
        : base($"the loss is {loss} at step {step}: training diverged. Lower --lr"
            + (checkpoint is null ? " and start again" : $" and go on from the last good weights with --resume {checkpoint}"))
    {
    }
}
