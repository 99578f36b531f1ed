namespace Lavt.Kernels.Cpu;

/// <summary>
/// The Dice loss of both classes: the mean over samples and classes of 1 − 2·Σpt / (Σp² + Σt + 1e-6), p the softmax
/// probabilities and t the one-hot target (after Milletari et al., "V-Net", 2016).
/// </summary>
public static unsafe class MultiClassDiceLoss
{
    /// <summary>Computes the loss and its gradient.</summary>
    /// <param name="logits">[batch, pixels, 2], background before foreground.</param>
    /// <param name="target">[batch, pixels], 1 on the object and 0 elsewhere.</param>
    /// <param name="batch">The number of samples.</param>
    /// <param name="pixels">The number of pixels of a sample.</param>
    /// <param name="loss">The loss; not a number if there are no samples.</param>
    /// <param name="dLogits">The gradient of the loss, as <paramref name="logits"/>; null if not wanted.</param>
    public static void Run(float* logits, byte* target, int batch, long pixels, out double loss, float* dLogits) =>
        DiceFocalLoss.Run(logits, target, batch, pixels, 0, 1, out loss, dLogits);
}
