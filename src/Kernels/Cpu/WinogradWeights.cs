using System.Numerics;
using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The weights of a convolution of 3x3 taps per frame, transformed as [panels of output channels, products, frames of the
/// kernel, input channels, panel width], the frames in the order of <see cref="Winograd.FrameTap"/>; the output channels of the
/// last panel are filled up with zeros. They are transformed once for many uses, or panel by panel as they are used; only those
/// for many uses are rounded (<see cref="WinogradRounding"/>).
/// </summary>
internal readonly unsafe struct WinogradWeights
{
    private const int ChannelsPerPiece = 32;
    private const int Width = Winograd.PanelWidth;

    private readonly float* _transformed;
    private readonly float* _weight;
    private readonly bool _flipped;
    private readonly int _frames;
    private readonly bool _rounded;
    private readonly int _inputs;
    private readonly int _outputs;
    private readonly nint _inputStride;
    private readonly nint _outputStride;

    /// <summary>
    /// A weight [outputs, inputs, frames, 3, 3]; for the gradient of the data a weight [inputs, outputs, frames, 3, 3], turned
    /// round.
    /// </summary>
    public WinogradWeights(float* weight, int frames, int inputs, int outputs, bool forData, bool rounded = false)
    {
        _rounded = rounded;
        _weight = weight;
        _flipped = forData;
        _frames = frames;
        _inputs = inputs;
        _outputs = outputs;
        _inputStride = forData ? (nint)outputs * frames * 9 : frames * 9;
        _outputStride = forData ? frames * 9 : (nint)inputs * frames * 9;
    }

    private WinogradWeights(WinogradWeights weights, float* transformed)
    {
        this = weights;
        _transformed = transformed;
    }

    /// <summary>The algorithm that they are for.</summary>
    public WinogradScheme Scheme => WinogradScheme.For(_inputs, _outputs, _rounded);

    /// <summary>The bytes of all panels.</summary>
    public long Bytes => Panels * (long)PanelFloats * sizeof(float);

    /// <summary>Floats that <see cref="Panel"/> needs.</summary>
    public nint ScratchFloats => _transformed == null ? PanelFloats : 0;

    /// <summary>Whether they are int16, two in the place of a float, with scales at the start of each block of channels.</summary>
    public bool Rounded => _rounded;

    /// <summary>Floats that scales take of each block of channels.</summary>
    public int ScalesPerBlock => _rounded ? Width : 0;

    /// <summary>Floats from a frame of the kernel to the next.</summary>
    public nint FrameFloats => ((nint)WinogradOperand.Floats(_inputs, _rounded) * Width) + (WinogradOperand.BlocksOf(_inputs) * ScalesPerBlock);

    /// <summary>Floats from a product of a panel to the next.</summary>
    public nint PlaneFloats => _frames * FrameFloats;

    private int Panels => SimdLoop.Pieces(_outputs, Width);

    private nint PanelFloats => Scheme.Products * PlaneFloats;

    /// <summary>Transforms all panels to <paramref name="destination"/>, <see cref="Bytes"/> of them; the original is not needed any more.</summary>
    public WinogradWeights Transform(float* destination)
    {
        int pieces = _rounded ? WinogradOperand.BlocksOf(_inputs) : SimdLoop.Pieces(_inputs, ChannelsPerPiece);
        TransformLoop loop = new() { Weights = this, Destination = destination, Pieces = pieces };
        Workers.Current.For(Panels * loop.Pieces, ref loop);
        return new WinogradWeights(this, destination);
    }

    /// <summary>A panel, transformed to <paramref name="scratch"/> if that was not done before.</summary>
    public float* Panel(int panel, float* scratch)
    {
        if (_transformed != null) return _transformed + (panel * PanelFloats);
        TransformPanel(panel, 0, _inputs, scratch);
        return scratch;
    }

    /// <summary>Transforms some input channels of a panel.</summary>
    private void TransformPanel(int panel, int firstInput, int lastInput, float* destination)
    {
        for (int c = firstInput; c < lastInput; c++)
            for (int i = 0; i < _frames; i++)
                TransformFilters(panel, c, i, destination + (((nint)(i * _inputs) + c) * Width), PlaneFloats);
    }

    /// <summary>Transforms a block of input channels of a panel and rounds it.</summary>
    private void RoundBlock(int panel, int block, float* destination)
    {
        int first = WinogradOperand.FirstChannelOf(_inputs, block, rounded: true), count = WinogradOperand.FirstChannelOf(_inputs, block + 1, rounded: true) - first;
        nint plane = (nint)count * Width;
        float* transformed = (float*)Workers.Scratch(Scheme.Products * plane * sizeof(float));
        destination += (block * Width) + ((nint)WinogradOperand.Floats(first, rounded: true) * Width);
        for (int i = 0; i < _frames; i++, destination += FrameFloats)
        {
            for (int c = 0; c < count; c++) TransformFilters(panel, first + c, i, transformed + (c * Width), plane);
            for (int product = 0; product < Scheme.Products; product++)
                WinogradRounding.Columns(transformed + (product * plane), count, destination + (product * PlaneFloats));
        }
    }

    private void TransformFilters(int panel, int input, int frame, float* target, nint plane)
    {
        if (Scheme.IsSix) TransformFilters<Winograd6>(panel, input, frame, target, plane);
        else TransformFilters<Winograd5>(panel, input, frame, target, plane);
    }

    /// <summary>u = G g Gᵀ for the filters of one input channel, one frame and all output channels of a panel.</summary>
    [SkipLocalsInit]
    private void TransformFilters<T>(int panel, int input, int frame, float* target, nint plane)
        where T : struct, IWinograd
    {
        int output = panel * Width, outputs = Math.Min(Width, _outputs - output), tap = Winograd.FrameTap(frame, _frames);
        float* filters = _weight + (input * _inputStride) + (output * _outputStride) + (9 * (_flipped ? _frames - 1 - tap : tap));
        const int Taps = 3;
        int n = T.Outputs + 2;
        float* taps = stackalloc float[Taps * Taps * Width];
        int vectors = Width / Vector<double>.Count;
        Vector<double>* wide = stackalloc Vector<double>[Taps * Taps * vectors];
        Vector<double>* columns = stackalloc Vector<double>[n * Taps * vectors];
        Vector<double>* results = stackalloc Vector<double>[n * n * vectors];
        if (outputs < Width) new Span<float>(taps, Taps * Taps * Width).Clear();
        Transpose.Run(filters, _outputStride, _flipped ? taps + (8 * Width) : taps, _flipped ? -Width : Width, outputs, Taps * Taps);
        for (int i = 0; i < Taps * Taps * Width; i += Vector<float>.Count, wide += 2)
            Vector.Widen(Vector.Load(taps + i), out wide[0], out wide[1]);
        wide -= Taps * Taps * vectors;
        for (int i = 0; i < Taps * vectors; i++)
            T.TransformWeights(wide[i], wide[i + (Taps * vectors)], wide[i + (2 * Taps * vectors)], columns + i, Taps * vectors);
        for (int y = 0; y < n; y++, columns += Taps * vectors)
            for (int i = 0; i < vectors; i++)
                T.TransformWeights(columns[i], columns[i + vectors], columns[i + (2 * vectors)], results + (y * n * vectors) + i, vectors);
        for (int product = 0; product < n * n; product++, target += plane)
            for (int i = 0; i < vectors; i += 2, results += 2)
                Vector.Store(Vector.Narrow(results[0], results[1]), target + (i * Vector<double>.Count));
    }

    /// <summary>Transforms a few input channels of one panel.</summary>
    private struct TransformLoop : ILoopBody
    {
        public WinogradWeights Weights;
        public float* Destination;
        public int Pieces;

        public readonly KernelWork Describe(int pieces) =>
            KernelWork.Moving(typeof(TransformLoop), (9.0 + Weights.Scheme.Products) * Weights._frames * Weights._inputs * Weights._outputs);

        public readonly void Run(int index, int worker)
        {
            (int panel, int piece) = Math.DivRem(index, Pieces);
            if (Weights._rounded)
            {
                Weights.RoundBlock(panel, piece, Destination + (panel * Weights.PanelFloats));
                return;
            }
            int first = piece * ChannelsPerPiece, last = Math.Min(Weights._inputs, first + ChannelsPerPiece);
            Weights.TransformPanel(panel, first, last, Destination + (panel * Weights.PanelFloats));
        }
    }
}
