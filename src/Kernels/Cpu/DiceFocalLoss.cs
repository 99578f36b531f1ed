using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The Dice loss of <see cref="MultiClassDiceLoss"/> and a focal loss (after Lin et al., "Focal loss for dense object
/// detection", 2017) as LAVT-RS has it: with q the probability of the pixel's class, the mean over pixels and both classes
/// of −0.25·(1 − q)²·ln(q + 1e-5) for this class and of −0.25·(1 − q)²·ln(1 − q + 1e-5) for the other one.
/// </summary>
public static unsafe class DiceFocalLoss
{
    private const double Alpha = 0.25;
    private const double Epsilon = 1e-5;

    /// <summary>Computes diceRate · Dice loss + focalRate · focal loss and its gradient.</summary>
    /// <param name="logits">[batch, pixels, 2], background before foreground.</param>
    /// <param name="target">[batch, pixels], 1 on the object and 0 elsewhere.</param>
    /// <param name="batch">The number of samples.</param>
    /// <param name="pixels">The number of pixels of a sample.</param>
    /// <param name="focalRate">The factor of the focal loss.</param>
    /// <param name="diceRate">The factor of the Dice loss.</param>
    /// <param name="loss">The loss; not a number if there are no samples.</param>
    /// <param name="dLogits">The gradient of the loss, as <paramref name="logits"/>; null if not wanted.</param>
    public static void Run(float* logits, byte* target, int batch, long pixels, double focalRate, double diceRate, out double loss, float* dLogits)
    {
        int pieces = LossPixel.PiecesPerSample(pixels);
        DiceLossSums* scratch = (DiceLossSums*)Workers.Scratch(ScratchCount(batch, pixels) * sizeof(DiceLossSums));
        double focalFactor = focalRate == 0 ? 0 : focalRate / (2.0 * batch * pixels), diceFactor = diceRate / (2.0 * batch);
        Sum(logits, target, batch, pixels, focalFactor, dLogits, scratch);
        loss = 0;
        for (int b = 0; b < batch; b++) loss += diceFactor * scratch[b].Loss + focalFactor * scratch[b].Focal;
        if (batch == 0) loss = double.NaN;
        if (dLogits == null) return;
        GradientBody body = new() { Logits = logits, Target = target, DLogits = dLogits, Pixels = pixels, Sums = scratch, DiceFactor = diceFactor };
        Workers.Current.For(batch * pieces, ref body);
    }

    /// <summary>The number of elements that <see cref="Sum"/> needs: one per sample, and one per piece of a sample.</summary>
    internal static long ScratchCount(int batch, long pixels) => (long)batch * (1 + LossPixel.PiecesPerSample(pixels));

    /// <summary>
    /// Writes the sums of each sample to the first <paramref name="batch"/> elements of <paramref name="scratch"/>. With a
    /// focal factor other than 0 also the focal sums, and to <paramref name="dLogits"/>, where it is given, the focal gradient.
    /// </summary>
    internal static void Sum(float* logits, byte* target, int batch, long pixels, double focalFactor, float* dLogits, DiceLossSums* scratch)
    {
        int pieces = LossPixel.PiecesPerSample(pixels);
        SumBody body = new() { Logits = logits, Target = target, DLogits = dLogits, Pixels = pixels, Sums = scratch + batch, FocalFactor = focalFactor };
        Workers.Current.For(batch * pieces, ref body);
        for (int b = 0; b < batch; b++)
        {
            scratch[b] = default;
            for (int i = 0; i < pieces; i++) scratch[b].Add(scratch[batch + b * pieces + i]);
        }
    }

    /// <summary>The focal losses of a pixel, both classes, and their derivative by q.</summary>
    /// <param name="right">q, the probability of the pixel's class.</param>
    /// <param name="wrong">1 − q.</param>
    /// <param name="derivative">The derivative by q.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Focal(double right, double wrong, out double derivative)
    {
        double logs = Math.Log(right + Epsilon) + Math.Log(wrong + Epsilon);
        derivative = Alpha * wrong * (2 * logs - wrong * (1 / (right + Epsilon) - 1 / (wrong + Epsilon)));
        return -Alpha * wrong * wrong * logs;
    }

    private struct SumBody : ILoopBody
    {
        public float* Logits;
        public byte* Target;
        public float* DLogits;
        public long Pixels;
        public DiceLossSums* Sums;
        public double FocalFactor;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int index, int worker)
        {
            int pieces = LossPixel.PiecesPerSample(Pixels), sample = index / pieces;
            long start = sample * Pixels + (long)(index % pieces) * LossPixel.PerPiece, end = Math.Min((sample + 1) * Pixels, start + LossPixel.PerPiece);
            DiceLossSums sums = default;
            for (long i = start; i < end; i++)
            {
                LossPixel.Probabilities(Logits + 2 * i, out double background, out double foreground);
                bool onObject = Target[i] != 0;
                double focal = 0, derivative = 0;
                if (FocalFactor != 0) focal = onObject ? Focal(foreground, background, out derivative) : Focal(background, foreground, out derivative);
                sums.Add(background, foreground, onObject, focal);
                if (DLogits == null) continue;
                // dq / d(foreground − background) is p(1 − p) on the object and its negative elsewhere.
                double slope = onObject ? background * foreground : -background * foreground;
                DLogits[2 * i] = (float)(FocalFactor * derivative * slope);
            }
            Sums[index] = sums;
        }
    }

    private struct GradientBody : ILoopBody
    {
        public float* Logits;
        public byte* Target;
        public float* DLogits;
        public long Pixels;
        public DiceLossSums* Sums;
        public double DiceFactor;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int index, int worker)
        {
            int pieces = LossPixel.PiecesPerSample(Pixels), sample = index / pieces;
            long start = sample * Pixels + (long)(index % pieces) * LossPixel.PerPiece, end = Math.Min((sample + 1) * Pixels, start + LossPixel.PerPiece);
            DiceLossSums.Slopes slopes = Sums[sample].Derivative(DiceFactor);
            for (long i = start; i < end; i++)
            {
                LossPixel.Probabilities(Logits + 2 * i, out double background, out double foreground);
                double dice = slopes.Difference(background, foreground, Target[i] != 0) * background * foreground;
                LossPixel.StoreGradient(DLogits + 2 * i, dice + DLogits[2 * i]);
            }
        }
    }
}
