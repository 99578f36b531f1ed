namespace Lavt.Nn.Parallel;

/// <summary>What the parts of a step count in its mean, and their losses, which a GPU may still compute.</summary>
/// <param name="parts">The number of parts.</param>
internal sealed class StepParts(int parts)
{
    private readonly List<(double Share, LateScalar Loss)> _losses = [];
    private double _reference;
    private double _totalWeight;

    /// <summary>What gradients with these shares are to be multiplied by once all parts are known.</summary>
    public double Scale => _reference / _totalWeight;

    /// <summary>The next part's share of the mean, but for <see cref="Scale"/>.</summary>
    /// <param name="own">What this device's mean of the part is divided by.</param>
    /// <param name="total">The same for all devices together.</param>
    public double ShareOf(double own, double total)
    {
        // The divisor is known when all parts are; with that of the first one, numbers are of the right size, and exact if there is one part.
        if (_reference == 0) _reference = parts * total;
        _totalWeight += total;
        return own / _reference;
    }

    /// <summary>Keeps the loss of a part.</summary>
    public void Add(double share, LateScalar loss) => _losses.Add((share, loss));

    /// <summary>This device's share of the mean loss, but for <see cref="Scale"/>; waits for the GPU.</summary>
    public double ReadLoss() => _losses.Sum(part => part.Share * part.Loss.Read());
}
