using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>What the losses over two classes share: how pixels are dealt out, and the softmax of one pixel.</summary>
/// <remarks>
/// The gradients of a pixel's two logits are opposite for every loss of their softmax, so that losses compute one number,
/// the derivative by foreground − background.
/// </remarks>
internal static unsafe class LossPixel
{
    /// <summary>Pixels of one sample that one piece of a parallel loop takes.</summary>
    public const int PerPiece = 4096;

    /// <summary>The number of pieces of a sample.</summary>
    public static int PiecesPerSample(long pixels) => SimdLoop.Pieces(pixels, PerPiece);

    /// <summary>Softmax of the logits (background, foreground), each exact to rounding also where the other one is near 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Probabilities(float* logits, out double background, out double foreground)
    {
        double difference = (double)logits[1] - logits[0];
        double e = Math.Exp(-Math.Abs(difference)), larger = 1 / (1 + e), smaller = e / (1 + e);
        background = difference < 0 ? larger : smaller;
        foreground = difference < 0 ? smaller : larger;
    }

    /// <summary>Stores the derivative by foreground − background as the gradient of both logits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreGradient(float* dLogits, double derivative)
    {
        float value = (float)derivative;
        dLogits[0] = -value;
        dLogits[1] = value;
    }
}
