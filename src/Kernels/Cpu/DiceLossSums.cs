using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The sums over a sample's pixels that the Dice loss 1 − 2·Σpt / (Σp² + Σt + 1e-6) of each class needs, p the softmax
/// probabilities and t the one-hot target; and the sum of a focal loss.
/// </summary>
internal struct DiceLossSums
{
    private const double Epsilon = 1e-6;

    private double _backgroundIntersection;
    private double _foregroundIntersection;
    private double _backgroundCardinality;
    private double _foregroundCardinality;

    /// <summary>Σ of the focal losses of the pixels.</summary>
    public double Focal { get; private set; }

    /// <summary>The sum of both classes' losses.</summary>
    public readonly double Loss =>
        2 - 2 * _backgroundIntersection / (_backgroundCardinality + Epsilon) - 2 * _foregroundIntersection / (_foregroundCardinality + Epsilon);

    /// <summary>Adds a pixel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(double background, double foreground, bool onObject, double focal)
    {
        if (onObject)
        {
            _foregroundIntersection += foreground;
            _foregroundCardinality += 1;
        }
        else
        {
            _backgroundIntersection += background;
            _backgroundCardinality += 1;
        }
        _backgroundCardinality += background * background;
        _foregroundCardinality += foreground * foreground;
        Focal += focal;
    }

    /// <summary>Adds the sums of other pixels of the same sample.</summary>
    public void Add(in DiceLossSums other)
    {
        _backgroundIntersection += other._backgroundIntersection;
        _foregroundIntersection += other._foregroundIntersection;
        _backgroundCardinality += other._backgroundCardinality;
        _foregroundCardinality += other._foregroundCardinality;
        Focal += other.Focal;
    }

    /// <summary>What the derivatives of factor · <see cref="Loss"/> at any pixel are made of.</summary>
    public readonly Slopes Derivative(double factor)
    {
        double background = _backgroundCardinality + Epsilon, foreground = _foregroundCardinality + Epsilon;
        return new Slopes
        {
            BackgroundTarget = -2 * factor / background,
            ForegroundTarget = -2 * factor / foreground,
            BackgroundSlope = 4 * factor * _backgroundIntersection / (background * background),
            ForegroundSlope = 4 * factor * _foregroundIntersection / (foreground * foreground),
        };
    }

    /// <summary>The derivative by a class's probability is target · t + slope · p.</summary>
    public struct Slopes
    {
        /// <summary>Times the background's target.</summary>
        public double BackgroundTarget;

        /// <summary>Times the foreground's target.</summary>
        public double ForegroundTarget;

        /// <summary>Times the background's probability.</summary>
        public double BackgroundSlope;

        /// <summary>Times the foreground's probability.</summary>
        public double ForegroundSlope;

        /// <summary>The derivative by the foreground's probability less that by the background's.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly double Difference(double background, double foreground, bool onObject) =>
            ForegroundSlope * foreground - BackgroundSlope * background + (onObject ? ForegroundTarget : -BackgroundTarget);
    }
}
