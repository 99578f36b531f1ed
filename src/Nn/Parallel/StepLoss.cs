namespace Lavt.Nn.Parallel;

/// <summary>The mean loss of a step, which a GPU may still compute when the next step is begun.</summary>
public sealed class StepLoss
{
    private readonly Func<double> _read;

    /// <summary>A loss that is read later.</summary>
    /// <param name="read">Waits for it.</param>
    public StepLoss(Func<double> read) => _read = read;

    /// <summary>The loss. Waits for the GPU, and for all devices of the group, which must read their losses in the same order; to be called once.</summary>
    /// <exception cref="CommunicationException">Another device failed.</exception>
    public double Read() => _read();
}
