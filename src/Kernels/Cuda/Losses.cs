using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>
/// The losses of two classes, background and object, with their gradients. The loss stays on the GPU. Logits are
/// [batch, pixels, 2], 8-byte aligned, targets [batch, pixels]: 0, or anything else on the object.
/// </summary>
public static unsafe class Losses
{
    internal const int Threads = 256, PixelsPerBlock = 4096, DiceSums = 5;
    private const string File = "Losses.cu";

    private static readonly CudaKernel s_crossEntropySums = new(File, "cross_entropy_sums");
    private static readonly CudaKernel s_crossEntropyFinish = new(File, "cross_entropy_finish");
    private static readonly CudaKernel s_crossEntropyGradient = new(File, "cross_entropy_gradient");
    private static readonly CudaKernel s_diceSums = new(File, "dice_sums");
    private static readonly CudaKernel s_diceFinish = new(File, "dice_finish");
    private static readonly CudaKernel s_diceGradient = new(File, "dice_gradient");

    /// <summary>The weighted cross entropy of <see cref="Cpu.CrossEntropyLoss"/>.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="logits">The logits.</param>
    /// <param name="target">The target.</param>
    /// <param name="pixels">All pixels of the batch.</param>
    /// <param name="loss">One number.</param>
    /// <param name="dLogits">The gradient, as <paramref name="logits"/>; null if not wanted.</param>
    public static void CrossEntropy(CudaStream stream, float* logits, byte* target, long pixels, float* loss, float* dLogits)
    {
        long chunks = (pixels + PixelsPerBlock - 1) / PixelsPerBlock;
        using CudaScratch scratch = new(stream, (2 * chunks + 2) * sizeof(double));
        double* totals = (double*)scratch.Address, partials = totals + 2;
        s_crossEntropySums.Launch(stream, chunks, Threads, 0, logits, target, pixels, partials);
        s_crossEntropyFinish.Launch(stream, 1, Threads, 0, partials, chunks, totals, loss);
        if (dLogits != null) s_crossEntropyGradient.Launch(stream, Grid.Over(pixels, Threads), Threads, 0, logits, target, pixels, totals, dLogits);
    }

    /// <summary>diceRate · Dice loss + focalRate · focal loss of <see cref="Cpu.DiceFocalLoss"/>.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="logits">The logits.</param>
    /// <param name="target">The target.</param>
    /// <param name="batch">Samples, at most 65535.</param>
    /// <param name="pixels">Pixels of a sample.</param>
    /// <param name="focalRate">The factor of the focal loss.</param>
    /// <param name="diceRate">The factor of the Dice loss.</param>
    /// <param name="loss">One number.</param>
    /// <param name="dLogits">The gradient, as <paramref name="logits"/>; null if not wanted.</param>
    public static void DiceFocal(CudaStream stream, float* logits, byte* target, int batch, long pixels, double focalRate, double diceRate, float* loss, float* dLogits)
    {
        double diceFactor = diceRate / (2.0 * batch), focalFactor = focalRate / (2.0 * batch * pixels);
        using CudaScratch totals = new(stream, (long)batch * DiceSums * sizeof(double));
        Dice(stream, logits, target, batch, pixels, diceFactor, focalFactor, (double*)totals.Address, loss);
        if (dLogits == null) return;
        s_diceGradient.Launch(stream, Grid.Over(pixels, Threads) with { Y = batch }, Threads, 0,
            logits, target, pixels, totals.Address, KernelArgument.ByValue(&diceFactor), KernelArgument.ByValue(&focalFactor), dLogits);
    }

    /// <summary>The loss, and the sums of each sample that its gradient is made of: totals [batch, <see cref="DiceSums"/>].</summary>
    internal static void Dice(CudaStream stream, float* logits, byte* target, int batch, long pixels, double diceFactor, double focalFactor, double* totals, float* loss)
    {
        int chunks = (int)((pixels + PixelsPerBlock - 1) / PixelsPerBlock);
        using CudaScratch partials = new(stream, (long)batch * chunks * DiceSums * sizeof(double));
        s_diceSums.Launch(stream, new Grid(chunks, batch), Threads, 0, logits, target, pixels, focalFactor != 0 ? 1 : 0, partials.Address);
        s_diceFinish.Launch(stream, 1, Threads, 0, partials.Address, batch, chunks, KernelArgument.ByValue(&diceFactor), KernelArgument.ByValue(&focalFactor), totals, loss);
    }
}
