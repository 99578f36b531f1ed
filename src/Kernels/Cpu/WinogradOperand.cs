namespace Lavt.Kernels.Cpu;

/// <summary>
/// Transformed tiles: for each of the <see cref="WinogradScheme.Products"/> products a matrix [tiles, channels], cut into blocks of
/// channels: [products, blocks, tiles, channels of the block]. A block's rows follow each other in memory, so that a product
/// reads one stream. Rounded numbers (<see cref="WinogradRounding"/>) are int16, two in the place of a float, and have a scale
/// for each tile of a block.
/// </summary>
/// <param name="products">Matrices.</param>
/// <param name="tiles">Tiles of all matrices.</param>
/// <param name="channels">Channels of the pictures, a multiple of 16; of 32 if rounded.</param>
/// <param name="rounded">Whether the numbers are int16.</param>
internal unsafe struct WinogradOperand(int products, int tiles, int channels, bool rounded)
{
    /// <summary>Channels of a block at most; the weights of so many stay in the first cache while all tiles use them.</summary>
    public const int LongestBlock = 128;

    /// <summary>Blocks begin at whole vectors.</summary>
    private const int Granule = 16;

    /// <summary>Floats between matrices that keep them from falling onto the same lines of the first cache.</summary>
    private const int Gap = 48;

    /// <summary>The first number.</summary>
    public float* Data;

    /// <summary>Tiles of all matrices.</summary>
    public readonly int Tiles => tiles;

    /// <summary>Channels of the pictures.</summary>
    public readonly int Channels => channels;

    /// <summary>Floats from a matrix to the next.</summary>
    public readonly nint Plane => ((nint)tiles * Floats(channels, rounded)) + Gap;

    /// <summary>The bytes of all matrices and their scales.</summary>
    public readonly long Bytes => products * (Plane + (rounded ? Blocks * tiles : 0)) * sizeof(float);

    /// <summary>Blocks of channels.</summary>
    public readonly int Blocks => BlocksOf(channels);

    /// <summary>How many floats take as much memory as some numbers.</summary>
    public static int Floats(int numbers, bool rounded) => rounded ? numbers / 2 : numbers;

    /// <summary>Blocks of some channels.</summary>
    public static int BlocksOf(int channels) => (channels + LongestBlock - 1) / LongestBlock;

    /// <summary>The first of <paramref name="channels"/> channels of a block; a multiple of 16 floats.</summary>
    public static int FirstChannelOf(int channels, int block, bool rounded)
    {
        int granule = rounded ? 2 * Granule : Granule;
        return channels / granule * block / BlocksOf(channels) * granule;
    }

    /// <summary>The first channel of a block (of block <see cref="Blocks"/>: the end).</summary>
    public readonly int FirstChannel(int block) => FirstChannelOf(channels, block, rounded);

    /// <summary>One block of channels of the first matrix.</summary>
    public readonly float* Block(int block) => Data + ((nint)tiles * Floats(FirstChannel(block), rounded));

    /// <summary>The scales of a block's rounded tiles in the matrix of a product.</summary>
    public readonly float* Scales(int product, int block) => Data + (products * Plane) + ((nint)((product * Blocks) + block) * tiles);
}
