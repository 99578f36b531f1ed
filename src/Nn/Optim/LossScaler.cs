namespace Lavt.Nn;

/// <summary>
/// Dynamic loss scaling with PyTorch's constants (2^16 at the start, doubled after 2000 good steps, halved when a gradient
/// is not finite), for training in half precision. In float32 it stays at 1.
/// </summary>
public sealed class LossScaler
{
    private const double Initial = 65536;
    private const int GrowthInterval = 2000;

    /// <summary>A scaler; disabled ones keep the scale at 1.</summary>
    public LossScaler(bool enabled)
    {
        Enabled = enabled;
        Scale = enabled ? Initial : 1;
    }

    /// <summary>Whether the scale moves.</summary>
    public bool Enabled { get; }

    /// <summary>The factor of the loss; gradients must be divided by it.</summary>
    public double Scale { get; set; }

    /// <summary>Good steps since the last change of the scale.</summary>
    public int GoodSteps { get; set; }

    /// <summary>Takes note of a step's gradients and says whether the optimizer may use them.</summary>
    public bool Update(bool gradientsFinite)
    {
        if (!Enabled) return gradientsFinite;
        if (!gradientsFinite)
        {
            Scale *= 0.5;
            GoodSteps = 0;
            return false;
        }
        if (++GoodSteps == GrowthInterval)
        {
            Scale *= 2;
            GoodSteps = 0;
        }
        return true;
    }
}
