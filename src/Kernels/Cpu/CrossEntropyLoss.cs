using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Cross entropy of two classes with the weights 0.9 of background and 1.1 of foreground pixels, which LAVT is trained with:
/// Σ w·(−ln p) / Σ w over all pixels of the batch, p the softmax probability of the pixel's class.
/// </summary>
public static unsafe class CrossEntropyLoss
{
    // The published weights are float32 numbers, also in computations in double precision.
    internal const double BackgroundWeight = 0.9f;
    internal const double ForegroundWeight = 1.1f;

    /// <summary>Computes the loss and its gradient.</summary>
    /// <param name="logits">[batch, pixels, 2], background before foreground.</param>
    /// <param name="target">[batch, pixels], 1 on the object and 0 elsewhere.</param>
    /// <param name="batch">The number of samples.</param>
    /// <param name="pixels">The number of pixels of a sample.</param>
    /// <param name="loss">The loss; not a number if there are no pixels.</param>
    /// <param name="dLogits">The gradient of the loss, as <paramref name="logits"/>; null if not wanted.</param>
    public static void Run(float* logits, byte* target, int batch, long pixels, out double loss, float* dLogits)
    {
        double totalWeight = TotalWeight(target, batch * pixels);
        int pieces = LossPixel.PiecesPerSample(batch * pixels);
        double* sums = (double*)Workers.Scratch(pieces * (long)sizeof(double));
        Body body = new() { Logits = logits, Target = target, DLogits = dLogits, Pixels = batch * pixels, GradientScale = 1 / totalWeight, Sums = sums };
        Workers.Current.For(pieces, ref body);
        double sum = 0;
        for (int i = 0; i < pieces; i++) sum += sums[i];
        loss = sum / totalWeight;
    }

    /// <summary>Σ w over pixels.</summary>
    /// <param name="target">1 on the object and 0 elsewhere.</param>
    /// <param name="pixels">The number of pixels.</param>
    public static double TotalWeight(byte* target, long pixels)
    {
        const int SpanLength = 1 << 30;
        long background = 0;
        for (long first = 0; first < pixels; first += SpanLength)
            background += new ReadOnlySpan<byte>(target + first, (int)Math.Min(SpanLength, pixels - first)).Count((byte)0);
        return background * BackgroundWeight + (pixels - background) * ForegroundWeight;
    }

    private struct Body : ILoopBody
    {
        public float* Logits;
        public byte* Target;
        public float* DLogits;
        public long Pixels;
        public double GradientScale;
        public double* Sums;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int index, int worker)
        {
            double sum = 0;
            long end = Math.Min(Pixels, (index + 1L) * LossPixel.PerPiece);
            for (long i = (long)index * LossPixel.PerPiece; i < end; i++)
            {
                bool foreground = Target[i] != 0;
                double weight = foreground ? ForegroundWeight : BackgroundWeight;
                double difference = (double)Logits[2 * i + 1] - Logits[2 * i], lead = foreground ? difference : -difference;
                double e = Math.Exp(-Math.Abs(lead));
                sum += weight * (Math.Max(-lead, 0) + Math.Log(1 + e));
                if (DLogits == null) continue;
                double wrong = weight * GradientScale * (lead < 0 ? 1 : e) / (1 + e);
                LossPixel.StoreGradient(DLogits + 2 * i, foreground ? -wrong : wrong);
            }
            Sums[index] = sum;
        }
    }
}
