using System.Numerics;

namespace Lavt.Kernels.Cpu;

/// <summary>The transforms of one of Winograd's algorithms F(m x m, 3x3), each along one axis.</summary>
internal unsafe interface IWinograd
{
    /// <summary>m, the outputs of a tile; it has m + 2 inputs, and a product for each pair of those of both axes.</summary>
    static abstract int Outputs { get; }

    /// <summary>v = Bᵀ d, m + 2 vectors from m + 2.</summary>
    static abstract void TransformInput<V>(float* d, nint step, float* v, nint vStep)
        where V : struct, ISimd<V>;

    /// <summary>y = Aᵀ m, m vectors from m + 2.</summary>
    static abstract void TransformSums<V>(float* m, nint step, float* y, nint yStep)
        where V : struct, ISimd<V>;

    /// <summary>u = G g, in double, for it is rounded only once.</summary>
    /// <param name="g0">The first of three taps.</param>
    /// <param name="g1">The second.</param>
    /// <param name="g2">The third.</param>
    /// <param name="u">m + 2 numbers, <paramref name="step"/> vectors apart.</param>
    /// <param name="step">Vectors from a result to the next.</param>
    static abstract void TransformWeights(Vector<double> g0, Vector<double> g1, Vector<double> g2, Vector<double>* u, nint step);
}

/// <summary>Which of the algorithms: F(5x5) or F(6x6).</summary>
/// <param name="outputs">Outputs of a tile along each axis, 5 or 6.</param>
internal readonly struct WinogradScheme(int outputs)
{
    /// <summary>Fewest channels for F(6x6): more of them average its errors.</summary>
    private const int ManyChannels = 512;

    /// <summary>Outputs of a tile along each axis.</summary>
    public int Outputs => outputs;

    /// <summary>Inputs of a tile along each axis; tiles overlap by two.</summary>
    public int Inputs => outputs + 2;

    /// <summary>Products per channel of a tile.</summary>
    public int Products => Inputs * Inputs;

    /// <summary>Whether it is F(6x6), otherwise F(5x5).</summary>
    public bool IsSix => outputs == 6;

    /// <summary>The algorithm for a convolution from so many channels to so many; rounded numbers do not bear the larger errors of F(6x6).</summary>
    public static WinogradScheme For(int inputs, int outputs, bool rounded) => new(Math.Min(inputs, outputs) >= ManyChannels && !rounded ? 6 : 5);
}
