namespace Lavt.Kernels.Cpu;

/// <summary>
/// Packs the weights of a convolution as [panels of output channels, blocks of input channels, taps, channels of the block,
/// panel width]; the output channels of the last panel are filled up with zeros.
/// </summary>
internal static unsafe class ConvolutionWeights
{
    /// <summary>
    /// The most input channels in a block. Up to three taps of a block are summed in one chain, which is then as long as the longest
    /// of a matrix product.
    /// </summary>
    private const int MaxBlock = 170;

    /// <summary>The number of blocks of input channels.</summary>
    public static int Blocks(int channels) => (channels + MaxBlock - 1) / MaxBlock;

    /// <summary>The first channel of a block (of block <see cref="Blocks"/>: the end).</summary>
    public static int FirstChannel(int block, int channels) => (int)((long)channels * block / Blocks(channels));

    /// <summary>The bytes that <see cref="Pack"/> fills, at any vector width.</summary>
    public static long Bytes(Volume kernel, int inputs, int outputs)
    {
        int width = CpuInfo.VectorBits / 16;
        return ((long)outputs + width - 1) / width * width * kernel.Count * inputs * sizeof(float);
    }

    /// <summary>
    /// Packs a weight [outputs, inputs, taps]; for the gradient of the data a weight [inputs, outputs, taps], turned round: that
    /// gradient is a convolution too.
    /// </summary>
    public static void Pack(float* weight, Volume kernel, int inputs, int outputs, bool forData, float* destination)
    {
        int taps = kernel.Count;
        PackBody body = new()
        {
            Weight = weight,
            Destination = destination,
            Taps = taps,
            Flipped = forData,
            Inputs = inputs,
            Outputs = outputs,
            InputStride = forData ? (nint)outputs * taps : taps,
            OutputStride = forData ? taps : (nint)inputs * taps,
        };
        int width = CpuInfo.VectorBits / 16;
        SimdLoop.For((body.Outputs + width - 1) / width * Blocks(body.Inputs), body);
    }

    /// <summary>Packs one block of input channels for one panel.</summary>
    private struct PackBody : ISimdLoopBody
    {
        public float* Weight;
        public float* Destination;
        public int Taps;
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
            float* target = Destination + (((nint)panel * Inputs) + first) * Taps * width;
            int outputs = Math.Min(width, Outputs - (panel * width));
            if (outputs < width) new Span<float>(target, checked((int)(Taps * tapStride))).Clear();
            float* source = Weight + (panel * width * OutputStride) + (first * InputStride);
            if (Flipped)
            {
                target += (Taps - 1) * tapStride;
                tapStride = -tapStride;
            }
            for (int c = 0; c < channels; c++)
                Transpose.Run(source + (c * InputStride), OutputStride, target + (c * width), tapStride, outputs, Taps);
        }
    }
}
