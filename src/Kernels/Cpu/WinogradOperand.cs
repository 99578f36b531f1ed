namespace Lavt.Kernels.Cpu;

/// <summary>
/// Transformed tiles: for each of the <see cref="Winograd.Products"/> products a matrix [tiles, channels], cut into blocks of
/// channels: [products, blocks, tiles, channels of the block]. A block's rows follow each other in memory, so that a product
/// reads one stream.
/// </summary>
/// <param name="tiles">Tiles of all matrices.</param>
/// <param name="channels">Channels of the pictures, a multiple of 16.</param>
/// <param name="longestBlock">The most channels of a block, a multiple of 16.</param>
internal unsafe struct WinogradOperand(int tiles, int channels, int longestBlock)
{
    /// <summary>Floats between matrices that keep them from falling onto the same lines of the first cache.</summary>
    private const int Gap = 48;

    /// <summary>The first number.</summary>
    public float* Data;

    /// <summary>Tiles of all matrices.</summary>
    public readonly int Tiles => tiles;

    /// <summary>Channels of the pictures.</summary>
    public readonly int Channels => channels;

    /// <summary>Floats from a matrix to the next.</summary>
    public readonly nint Plane => ((nint)tiles * channels) + Gap;

    /// <summary>The bytes of all matrices.</summary>
    public readonly long Bytes => Winograd.Products * Plane * sizeof(float);

    /// <summary>Blocks of channels.</summary>
    public readonly int Blocks => (channels + longestBlock - 1) / longestBlock;

    /// <summary>The first channel of a block (of block <see cref="Blocks"/>: the end); a multiple of 16.</summary>
    public readonly int FirstChannel(int block) => channels / 16 * block / Blocks * 16;

    /// <summary>One block of channels of the first matrix.</summary>
    public readonly float* Block(int block) => Data + ((nint)tiles * FirstChannel(block));
}
