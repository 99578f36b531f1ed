namespace Lavt.Kernels.Cpu;

/// <summary>
/// The weight of a 3x3 convolution in the order in which the kernel reads it, for weights that many calls use. The order
/// depends on the processor's vector width: it is made in memory and never saved.
/// </summary>
public sealed unsafe class PackedConv : IDisposable
{
    private readonly HostBlock _block;

    private PackedConv(int cin, int cout, bool winograd)
    {
        InputChannels = cin;
        OutputChannels = cout;
        IsWinograd = winograd;
        _block = new HostBlock(winograd ? WinogradWeights.Bytes(cin, cout) : Conv3x3Weights.Bytes(cin, cout));
    }

    /// <summary>Channels of the convolution's input.</summary>
    public int InputChannels { get; }

    /// <summary>Channels of the convolution's output.</summary>
    public int OutputChannels { get; }

    /// <summary>Whether the weight is transformed for Winograd's method, which takes four times the memory.</summary>
    public bool IsWinograd { get; }

    /// <summary>The packed numbers.</summary>
    internal float* Weights => _block.Data;

    /// <summary>
    /// Packs a copy of a weight [<paramref name="cout"/>, <paramref name="cin"/>, 3, 3]: for Winograd's method if it is allowed
    /// (<see cref="Conv3x3.AllowWinograd"/>) and there are channels enough, otherwise for the direct convolution.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public static PackedConv Pack(float* weight, int cin, int cout)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(cin, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(cout, 1);
        PackedConv packed = new(cin, cout, Conv3x3.AllowWinograd && Winograd.Suits(cin, cout));
        if (packed.IsWinograd) WinogradWeights.Pack(weight, cin, cout, forData: false, packed._block.Data);
        else Conv3x3Weights.Pack(weight, cin, cout, forData: false, packed._block.Data);
        return packed;
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose() => _block.Dispose();

}
