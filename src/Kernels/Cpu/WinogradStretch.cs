namespace Lavt.Kernels.Cpu;

/// <summary>
/// Blocks of a <see cref="WinogradPlan"/> that are done at once, with their transformed inputs. One block would do, but where it
/// has few panels of output channels, workers would have to wait for each other.
/// </summary>
internal unsafe struct WinogradStretch
{
    /// <summary>Panels that are done at once at least.</summary>
    private const int FewestPanels = 12;

    private readonly int _blocksAtOnce;
    private readonly nint _blockFloats;
    private int _first;

    /// <summary>No blocks yet; call <see cref="Next"/>.</summary>
    public WinogradStretch(WinogradPlan plan, int channels, int panels, bool rounded)
    {
        Plan = plan;
        Channels = channels;
        Rounded = rounded;
        _blocksAtOnce = Math.Min(plan.Blocks, SimdLoop.Pieces(FewestPanels, panels));
        for (int block = 0; block < plan.Blocks; block++) MostInputTiles = Math.Max(MostInputTiles, plan.Block(block).InputTiles);
        _blockFloats = (nint)(new WinogradOperand(plan.Scheme.Products, MostInputTiles, channels, rounded).Bytes / sizeof(float));
    }

    /// <summary>The tiles.</summary>
    public WinogradPlan Plan { get; }

    /// <summary>Channels of the input.</summary>
    public int Channels { get; }

    /// <summary>Whether the transformed inputs are rounded to int16.</summary>
    public bool Rounded { get; }

    /// <summary>Input tiles of the largest block.</summary>
    public int MostInputTiles { get; }

    /// <summary>The number of blocks.</summary>
    public int Blocks { get; private set; }

    /// <summary>The transformed inputs, <see cref="Bytes"/> of them.</summary>
    public float* Data { get; set; }

    /// <summary>The bytes of the transformed inputs.</summary>
    public readonly long Bytes => _blocksAtOnce * (long)_blockFloats * sizeof(float);

    /// <summary>Goes on to the next blocks; false: there are none.</summary>
    public bool Next()
    {
        _first += Blocks;
        Blocks = Math.Min(_blocksAtOnce, Plan.Blocks - _first);
        return Blocks > 0;
    }

    /// <summary>One of the blocks.</summary>
    public readonly WinogradBlock Block(int index) => Plan.Block(_first + index);

    /// <summary>The transformed inputs of a block.</summary>
    public readonly WinogradOperand Operand(int index, WinogradBlock block) =>
        new(Plan.Scheme.Products, block.InputTiles, Channels, Rounded) { Data = Data + (index * _blockFloats) };
}
