namespace Lavt.Kernels.Cpu;

/// <summary>The sizes of a convolution with stride 1, padded so that maps keep their size.</summary>
/// <param name="Batch">Maps.</param>
/// <param name="Map">The extents of a map.</param>
/// <param name="Kernel">The extents of the kernel, each 1 or 3.</param>
/// <param name="Inputs">Channels of the input.</param>
/// <param name="Outputs">Channels of the output.</param>
internal readonly record struct ConvolutionShape(int Batch, Volume Map, Volume Kernel, int Inputs, int Outputs)
{
    /// <summary>The convolution of the output's gradient that gives the input's.</summary>
    public ConvolutionShape ForData => this with { Inputs = Outputs, Outputs = Inputs };

    /// <summary>The same with the frames as pictures of their own, if the kernel does not join them.</summary>
    public ConvolutionShape Flat =>
        Kernel.Frames > 1 ? this : this with { Batch = checked(Batch * Map.Frames), Map = Volume.Picture(Map.Height, Map.Width) };

    /// <summary>Elements of a channel of the batch.</summary>
    public long Pixels => (long)Batch * Map.Frames * Map.Plane;

    /// <summary>Whether the kernel is one tap, and the convolution a product of matrices.</summary>
    public bool IsProduct => Kernel.Count == 1;

    /// <summary>The taps along an axis of which the position at <paramref name="at"/> has a neighbour: first and last.</summary>
    public static (int First, int Last) Taps(int kernel, int at, int extent) =>
        kernel == 1 ? (0, 0) : (at == 0 ? 1 : 0, at == extent - 1 ? 1 : 2);

    /// <summary>Refuses impossible sizes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, there are no channels, or the kernel is not of ones and threes.</exception>
    public void Check()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(Batch);
        ArgumentOutOfRangeException.ThrowIfNegative(Map.Frames);
        ArgumentOutOfRangeException.ThrowIfNegative(Map.Height);
        ArgumentOutOfRangeException.ThrowIfNegative(Map.Width);
        CheckWeight(Kernel, Inputs, Outputs);
    }

    /// <inheritdoc cref="Check"/>
    public static void CheckWeight(Volume kernel, int inputs, int outputs)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(inputs, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(outputs, 1);
        if (kernel.Frames is not (1 or 3) || kernel.Height is not (1 or 3) || kernel.Width is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(kernel), kernel, "each extent of a convolution's kernel must be 1 or 3");
    }
}
