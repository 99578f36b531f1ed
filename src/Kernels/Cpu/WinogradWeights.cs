using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Transforms the weights of a 3x3 convolution and packs them as [panels of output channels, 36 products, input channels,
/// panel width]; the output channels of the last panel are filled up with zeros.
/// </summary>
internal static unsafe class WinogradWeights
{
    private const int ChannelsPerPiece = 32;

    /// <summary>The bytes that <see cref="Pack"/> fills, at any vector width.</summary>
    public static long Bytes(int inputs, int outputs)
    {
        int width = CpuInfo.VectorBits / 16;
        return ((long)outputs + width - 1) / width * width * Winograd.Products * inputs * sizeof(float);
    }

    /// <summary>
    /// Packs a weight [<paramref name="cout"/>, <paramref name="cin"/>, 3, 3]; for the gradient of the data, turned round in
    /// the picture plane and with inputs and outputs exchanged.
    /// </summary>
    public static void Pack(float* weight, int cin, int cout, bool forData, float* destination)
    {
        PackLoop loop = new()
        {
            Weight = weight,
            Destination = destination,
            Flipped = forData,
            Inputs = forData ? cout : cin,
            Outputs = forData ? cin : cout,
            InputStride = forData ? (nint)cin * 9 : 9,
            OutputStride = forData ? 9 : (nint)cin * 9,
            Width = CpuInfo.VectorBits / 16,
        };
        loop.Pieces = SimdLoop.Pieces(loop.Inputs, ChannelsPerPiece);
        Workers.Current.For(SimdLoop.Pieces(loop.Outputs, loop.Width) * loop.Pieces, ref loop);
    }

    /// <summary>Packs a few input channels for one panel.</summary>
    private struct PackLoop : ILoopBody
    {
        public float* Weight;
        public float* Destination;
        public bool Flipped;
        public int Inputs;
        public int Outputs;
        public nint InputStride;
        public nint OutputStride;
        public int Width;
        public int Pieces;

        public readonly void Run(int index, int worker)
        {
            int panel = index / Pieces, first = index % Pieces * ChannelsPerPiece, last = Math.Min(Inputs, first + ChannelsPerPiece);
            int output = panel * Width, outputs = Math.Min(Width, Outputs - output);
            nint plane = (nint)Inputs * Width;
            for (int c = first; c < last; c++)
            {
                float* target = Destination + (panel * Winograd.Products * plane) + ((nint)c * Width);
                for (int o = 0; o < outputs; o++)
                    TransformFilter(Weight + (c * InputStride) + ((output + o) * OutputStride), Flipped, target + o, plane);
                for (int o = outputs; o < Width; o++)
                    for (int product = 0; product < Winograd.Products; product++)
                        target[(product * plane) + o] = 0;
            }
        }

        /// <summary>u = G g Gᵀ for one filter of nine numbers.</summary>
        [SkipLocalsInit]
        private static void TransformFilter(float* filter, bool flipped, float* target, nint plane)
        {
            Span<double> columns = stackalloc double[3 * Winograd.Inputs], row = stackalloc double[Winograd.Inputs];
            float* g = flipped ? filter + 8 : filter;
            int step = flipped ? -1 : 1;
            for (int x = 0; x < 3; x++, g += step)
                Winograd.TransformWeights(g[0], g[3 * step], g[6 * step], columns.Slice(x * Winograd.Inputs, Winograd.Inputs));
            for (int y = 0; y < Winograd.Inputs; y++)
            {
                Winograd.TransformWeights(columns[y], columns[Winograd.Inputs + y], columns[(2 * Winograd.Inputs) + y], row);
                for (int x = 0; x < Winograd.Inputs; x++, target += plane) *target = (float)row[x];
            }
        }
    }
}
