namespace Lavt.Kernels.Cpu;

/// <summary>
/// Packs the weights of a 3x3 convolution as [panels of output channels, blocks of input channels, 9 taps, channels of the
/// block, panel width]; the output channels of the last panel are filled up with zeros.
/// </summary>
internal static unsafe class Conv3x3Weights
{
    /// <summary>
    /// The most input channels in a block. Three taps of a block are summed in one chain, which is then as long as the longest
    /// of a matrix product.
    /// </summary>
    private const int MaxBlock = 170;

    /// <summary>The number of blocks of input channels.</summary>
    public static int Blocks(int channels) => (channels + MaxBlock - 1) / MaxBlock;

    /// <summary>The first channel of a block (of block <see cref="Blocks"/>: the end).</summary>
    public static int FirstChannel(int block, int channels) => (int)((long)channels * block / Blocks(channels));

    /// <summary>The bytes that <see cref="Pack"/> fills, at any vector width.</summary>
    public static long Bytes(int inputs, int outputs)
    {
        int width = CpuInfo.VectorBits / 16;
        return ((long)outputs + width - 1) / width * width * 9 * inputs * sizeof(float);
    }

    /// <summary>
    /// Packs a weight [<paramref name="cout"/>, <paramref name="cin"/>, 3, 3]; for the gradient of the data, turned round in
    /// the picture plane and with inputs and outputs exchanged: that gradient is a convolution too.
    /// </summary>
    public static void Pack(float* weight, int cin, int cout, bool forData, float* destination)
    {
        PackBody body = new() { Weight = weight, Destination = destination, Flipped = forData };
        body.Inputs = forData ? cout : cin;
        body.Outputs = forData ? cin : cout;
        body.InputStride = forData ? (nint)cin * 9 : 9;
        body.OutputStride = forData ? 9 : (nint)cin * 9;
        int width = CpuInfo.VectorBits / 16;
        SimdLoop.For((body.Outputs + width - 1) / width * Blocks(body.Inputs), body);
    }

    /// <summary>Packs one block of input channels for one panel.</summary>
    private struct PackBody : ISimdLoopBody
    {
        public float* Weight;
        public float* Destination;
        public int Inputs;
        public int Outputs;
        public nint InputStride;
        public nint OutputStride;
        public bool Flipped;

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            int width = GemmTile.PanelWidth<V>(), blocks = Blocks(Inputs), panel = index / blocks, block = index % blocks;
            int first = FirstChannel(block, Inputs), channels = FirstChannel(block + 1, Inputs) - first;
            nint tapStride = (nint)channels * width;
            float* target = Destination + (((nint)panel * Inputs) + first) * 9 * width;
            int outputs = Math.Min(width, Outputs - (panel * width));
            if (outputs < width) new Span<float>(target, checked((int)(9 * tapStride))).Clear();
            float* source = Weight + (panel * width * OutputStride) + (first * InputStride);
            if (Flipped)
            {
                target += 8 * tapStride;
                tapStride = -tapStride;
            }
            for (int c = 0; c < channels; c++)
                Transpose.Run(source + (c * InputStride), OutputStride, target + (c * width), tapStride, outputs, 9);
        }
    }
}
