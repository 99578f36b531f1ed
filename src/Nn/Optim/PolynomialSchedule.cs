namespace Lavt.Nn;

/// <summary>The learning rate base · (1 − step / total)^power, step by step.</summary>
/// <param name="baseRate">The rate of step 0.</param>
/// <param name="totalSteps">The step at which the rate is 0.</param>
/// <param name="power">The exponent; 0 keeps the rate.</param>
public sealed class PolynomialSchedule(double baseRate, long totalSteps, double power = 0.9)
{
    /// <summary>The rate of step <paramref name="step"/>, counted from 0; 0 beyond the last.</summary>
    public double Rate(long step) =>
        power == 0 ? baseRate : step >= totalSteps ? 0 : baseRate * Math.Pow(1 - (double)step / totalSteps, power);
}
