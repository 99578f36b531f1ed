namespace Lavt.Kernels.Cpu;

/// <summary>
/// The weight of a convolution in the order in which the kernel reads it, for weights that many calls use. The order depends
/// on the processor's vector width: it is made in memory and never saved.
/// </summary>
public sealed unsafe class PackedConv : IDisposable
{
    /// <summary>
    /// Transformed weights take five times the memory. Where those of a kernel of several frames are more than this, they are
    /// transformed panel by panel as they are used: 768 channels on 8 x 15 x 15 elements then take 58 ms on two cores instead of
    /// 26 (directly: 110), but 64 MB instead of 347, and no time to fill them.
    /// </summary>
    private const long MostTransformedBytes = 192 << 20;

    private readonly HostBlock? _block;

    private PackedConv(float* weight, Volume kernel, int cin, int cout, bool rounded)
    {
        (Kernel, InputChannels, OutputChannels) = (kernel, cin, cout);
        if (kernel.Count == 1)
        {
            Matrix = PackedMatrix.Pack(new Matrix(weight, 1, cin), cin, cout);
            return;
        }
        IsWinograd = Convolution.AllowWinograd && Cpu.Winograd.Suits(kernel, cin, cout);
        if (IsWinograd)
        {
            (_block, Winograd) = PackForWinograd(weight, kernel, cin, cout, rounded && cin % 32 == 0);
            return;
        }
        _block = new HostBlock(ConvolutionWeights.Bytes(kernel, cin, cout));
        ConvolutionWeights.Pack(weight, kernel, cin, cout, forData: false, Weights);
    }

    /// <summary>The extents of the kernel.</summary>
    public Volume Kernel { get; }

    /// <summary>Channels of the convolution's input.</summary>
    public int InputChannels { get; }

    /// <summary>Channels of the convolution's output.</summary>
    public int OutputChannels { get; }

    /// <summary>Whether the weight is for Winograd's method.</summary>
    public bool IsWinograd { get; }

    /// <summary>The weight for the direct method.</summary>
    internal float* Weights => _block!.Data;

    /// <summary>The weight for Winograd's method.</summary>
    internal WinogradWeights Winograd { get; }

    /// <summary>The packed weight of a kernel of one tap.</summary>
    internal PackedMatrix? Matrix { get; }

    /// <summary>
    /// Packs a copy of a weight [<paramref name="cout"/>, <paramref name="cin"/>, the kernel's extents]: for Winograd's method if
    /// it is allowed (<see cref="Convolution.AllowWinograd"/>), the kernel has 3x3 taps per frame and there are channels enough.
    /// </summary>
    /// <param name="weight">The weight; it is not needed any more.</param>
    /// <param name="kernel">The extents of the kernel, each 1 or 3.</param>
    /// <param name="cin">Channels of the input.</param>
    /// <param name="cout">Channels of the output.</param>
    /// <param name="rounded">
    /// Whether products may be of numbers of 16 bits: so they are in Winograd's method, with scales (an error of about 1e-3),
    /// if <paramref name="cin"/> is a multiple of 32.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1, or the kernel is not of ones and threes.</exception>
    public static PackedConv Pack(float* weight, Volume kernel, int cin, int cout, bool rounded = false)
    {
        ConvolutionShape.CheckWeight(kernel, cin, cout);
        return new PackedConv(weight, kernel, cin, cout, rounded);
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        _block?.Dispose();
        Matrix?.Dispose();
    }

    private static (HostBlock Block, WinogradWeights Weights) PackForWinograd(float* weight, Volume kernel, int cin, int cout, bool rounded)
    {
        WinogradWeights weights = new(weight, kernel.Frames, cin, cout, forData: false, rounded);
        if (kernel.Frames == 1 || weights.Bytes <= MostTransformedBytes)
        {
            HostBlock transformed = new(weights.Bytes);
            return (transformed, weights.Transform(transformed.Data));
        }
        long bytes = (long)kernel.Count * cin * cout * sizeof(float);
        HostBlock copy = new(bytes);
        Buffer.MemoryCopy(weight, copy.Data, bytes, bytes);
        return (copy, new WinogradWeights(copy.Data, kernel.Frames, cin, cout, forData: false));
    }
}
