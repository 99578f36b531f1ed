namespace Lavt.Kernels.Cpu;

/// <summary>
/// The weight of a convolution in the order in which the kernel reads it, for weights that many calls use. The order depends
/// on the processor's vector width: it is made in memory and never saved.
/// </summary>
public sealed unsafe class PackedConv : IDisposable
{
    private readonly HostBlock? _block;

    private PackedConv(float* weight, Volume kernel, int cin, int cout)
    {
        (Kernel, InputChannels, OutputChannels) = (kernel, cin, cout);
        if (kernel.Count == 1)
        {
            Matrix = PackedMatrix.Pack(new Matrix(weight, 1, cin), cin, cout);
            return;
        }
        IsWinograd = Convolution.AllowWinograd && Winograd.Suits(kernel, cin, cout);
        _block = new HostBlock(IsWinograd ? WinogradWeights.Bytes(kernel.Frames, cin, cout) : ConvolutionWeights.Bytes(kernel, cin, cout));
        if (IsWinograd) WinogradWeights.Pack(weight, kernel.Frames, cin, cout, forData: false, Weights);
        else ConvolutionWeights.Pack(weight, kernel, cin, cout, forData: false, Weights);
    }

    /// <summary>The extents of the kernel.</summary>
    public Volume Kernel { get; }

    /// <summary>Channels of the convolution's input.</summary>
    public int InputChannels { get; }

    /// <summary>Channels of the convolution's output.</summary>
    public int OutputChannels { get; }

    /// <summary>Whether the weight is transformed for Winograd's method, which takes five times the memory.</summary>
    public bool IsWinograd { get; }

    /// <summary>The packed numbers of a kernel of several taps.</summary>
    internal float* Weights => _block!.Data;

    /// <summary>The packed weight of a kernel of one tap.</summary>
    internal PackedMatrix? Matrix { get; }

    /// <summary>
    /// Packs a copy of a weight [<paramref name="cout"/>, <paramref name="cin"/>, the kernel's extents]: for Winograd's method if
    /// it is allowed (<see cref="Convolution.AllowWinograd"/>), the kernel has 3x3 taps per frame and there are channels enough.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1, or the kernel is not of ones and threes.</exception>
    public static PackedConv Pack(float* weight, Volume kernel, int cin, int cout)
    {
        ConvolutionShape.CheckWeight(kernel, cin, cout);
        return new PackedConv(weight, kernel, cin, cout);
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        _block?.Dispose();
        Matrix?.Dispose();
    }
}
