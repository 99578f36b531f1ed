using System.Numerics;
using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Transforms the weights of a convolution of 3x3 taps per frame and packs them as [panels of output channels, 49 products,
/// frames of the kernel, input channels, panel width], the frames in the order of <see cref="Winograd.FrameTap"/>; the output
/// channels of the last panel are filled up with zeros.
/// </summary>
internal static unsafe class WinogradWeights
{
    private const int ChannelsPerPiece = 32;
    private const int Width = Winograd.PanelWidth;

    /// <summary>The bytes that <see cref="Pack"/> fills.</summary>
    public static long Bytes(int frames, int inputs, int outputs) =>
        (long)SimdLoop.Pieces(outputs, Width) * Width * Winograd.Products * frames * inputs * sizeof(float);

    /// <summary>
    /// Packs a weight [outputs, inputs, frames, 3, 3]; for the gradient of the data a weight [inputs, outputs, frames, 3, 3],
    /// turned round.
    /// </summary>
    public static void Pack(float* weight, int frames, int inputs, int outputs, bool forData, float* destination)
    {
        PackLoop loop = new()
        {
            Weight = weight,
            Destination = destination,
            Flipped = forData,
            Frames = frames,
            Inputs = inputs,
            Outputs = outputs,
            InputStride = forData ? (nint)outputs * frames * 9 : frames * 9,
            OutputStride = forData ? frames * 9 : (nint)inputs * frames * 9,
        };
        loop.Pieces = SimdLoop.Pieces(loop.Inputs, ChannelsPerPiece);
        Workers.Current.For(SimdLoop.Pieces(loop.Outputs, Width) * loop.Pieces, ref loop);
    }

    /// <summary>Packs a few input channels for one panel.</summary>
    private struct PackLoop : ILoopBody
    {
        public float* Weight;
        public float* Destination;
        public bool Flipped;
        public int Frames;
        public int Inputs;
        public int Outputs;
        public nint InputStride;
        public nint OutputStride;
        public int Pieces;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(PackLoop), (9.0 + Winograd.Products) * Frames * Inputs * Outputs);

        public readonly void Run(int index, int worker)
        {
            int panel = index / Pieces, first = index % Pieces * ChannelsPerPiece, last = Math.Min(Inputs, first + ChannelsPerPiece);
            int output = panel * Width, outputs = Math.Min(Width, Outputs - output);
            nint plane = (nint)Frames * Inputs * Width;
            for (int c = first; c < last; c++)
            {
                for (int i = 0; i < Frames; i++)
                {
                    int tap = Winograd.FrameTap(i, Frames);
                    float* filters = Weight + (c * InputStride) + (output * OutputStride) + (9 * (Flipped ? Frames - 1 - tap : tap));
                    float* target = Destination + (panel * Winograd.Products * plane) + (((nint)(i * Inputs) + c) * Width);
                    TransformFilters(filters, outputs, target, plane);
                }
            }
        }

        /// <summary>u = G g Gᵀ for the filters of one input channel and all output channels of a panel.</summary>
        [SkipLocalsInit]
        private readonly void TransformFilters(float* filters, int outputs, float* target, nint plane)
        {
            const int Taps = 3, N = Winograd.Inputs;
            float* taps = stackalloc float[Taps * Taps * Width];
            int vectors = Width / Vector<double>.Count;
            Vector<double>* wide = stackalloc Vector<double>[Taps * Taps * vectors];
            Vector<double>* columns = stackalloc Vector<double>[N * Taps * vectors];
            Vector<double>* results = stackalloc Vector<double>[Winograd.Products * vectors];
            if (outputs < Width) new Span<float>(taps, Taps * Taps * Width).Clear();
            Transpose.Run(filters, OutputStride, Flipped ? taps + (8 * Width) : taps, Flipped ? -Width : Width, outputs, Taps * Taps);
            for (int i = 0; i < Taps * Taps * Width; i += Vector<float>.Count, wide += 2)
                Vector.Widen(Vector.Load(taps + i), out wide[0], out wide[1]);
            wide -= Taps * Taps * vectors;
            for (int i = 0; i < Taps * vectors; i++)
                Winograd.TransformWeights(wide[i], wide[i + (Taps * vectors)], wide[i + (2 * Taps * vectors)], columns + i, Taps * vectors);
            for (int y = 0; y < N; y++, columns += Taps * vectors)
                for (int i = 0; i < vectors; i++)
                    Winograd.TransformWeights(columns[i], columns[i + vectors], columns[i + (2 * vectors)], results + (y * N * vectors) + i, vectors);
            for (int product = 0; product < Winograd.Products; product++, target += plane)
                for (int i = 0; i < vectors; i += 2, results += 2)
                    Vector.Store(Vector.Narrow(results[0], results[1]), target + (i * Vector<double>.Count));
        }
    }
}
