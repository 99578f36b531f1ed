namespace Lavt.Tests;

/// <summary>The tolerances of comparisons that are not with golden numbers, all in one place.</summary>
internal static class Tolerance
{
    /// <summary>float32 kernels against the composed form in double, relative to the largest value of the result.</summary>
    public const double Fused = 5e-6;
}
