namespace Lavt.Kernels.Cpu;

/// <summary>
/// How tiles of outputs cover the frames of a batch of maps, and how they are cut into blocks. The tiles at one place of all
/// frames of a map are a column; a block is some columns by some frames, so that what is transformed for a frame serves the
/// neighbouring frames too. Tiles at the right and at the bottom may reach beyond the frame.
/// </summary>
internal readonly struct WinogradPlan
{
    /// <summary>
    /// The transformed inputs (9 MB for 640 channels) stay in the third cache, a panel's products (0.45 MB) in the second.
    /// From 48 to 96 tiles the time is the same within 2 %; more overflow small caches, fewer read the weights too often.
    /// </summary>
    private const int TilesPerBlock = 72;

    /// <summary>Longer maps are cut along time; each part transforms a frame more at either end.</summary>
    private const int FramesPerBlock = 24;

    private readonly WinogradScheme _scheme;
    private readonly Volume _map;
    private readonly int _reach;
    private readonly int _rows;
    private readonly int _columns;
    private readonly int _frameBlocks;
    private readonly int _columnBlocks;

    /// <summary>The tiles of a convolution (<see cref="ConvolutionShape.Flat"/>).</summary>
    public WinogradPlan(ConvolutionShape shape, WinogradScheme scheme)
    {
        _scheme = scheme;
        _map = shape.Map;
        _reach = shape.Kernel.Frames / 2;
        _rows = SimdLoop.Pieces(_map.Height, scheme.Outputs);
        _columns = SimdLoop.Pieces(_map.Width, scheme.Outputs);
        Columns = checked(shape.Batch * _rows * _columns);
        _frameBlocks = SimdLoop.Pieces(_map.Frames, FramesPerBlock);
        int columnsPerBlock = Math.Max(1, TilesPerBlock / SimdLoop.Pieces(_map.Frames, _frameBlocks));
        _columnBlocks = SimdLoop.Pieces(Columns, columnsPerBlock);
    }

    /// <summary>The algorithm.</summary>
    public WinogradScheme Scheme => _scheme;

    /// <summary>The extents of a map.</summary>
    public Volume Map => _map;

    /// <summary>Columns of tiles of all maps.</summary>
    public int Columns { get; }

    /// <summary>The number of blocks.</summary>
    public int Blocks => _frameBlocks * _columnBlocks;

    /// <summary>A block; its neighbours have the same frames.</summary>
    public WinogradBlock Block(int index)
    {
        (int frames, int columns) = Math.DivRem(index, _columnBlocks);
        int firstFrame = Share(_map.Frames, frames, _frameBlocks), lastFrame = Share(_map.Frames, frames + 1, _frameBlocks);
        int firstColumn = Share(Columns, columns, _columnBlocks);
        return new WinogradBlock
        {
            FirstColumn = firstColumn,
            Columns = Share(Columns, columns + 1, _columnBlocks) - firstColumn,
            FirstFrame = firstFrame,
            Frames = lastFrame - firstFrame,
            FirstInput = Math.Max(0, firstFrame - _reach),
            Inputs = Math.Min(_map.Frames, lastFrame + _reach) - Math.Max(0, firstFrame - _reach),
        };
    }

    /// <summary>The first frame of a column's map, counted over all maps, and its first output pixel in a frame.</summary>
    public (int Frame, int Y, int X) Locate(int column)
    {
        (int map, int place) = Math.DivRem(column, _rows * _columns);
        (int row, int inRow) = Math.DivRem(place, _columns);
        return (map * _map.Frames, row * _scheme.Outputs, inRow * _scheme.Outputs);
    }

    private static int Share(int total, int part, int parts) => (int)((long)total * part / parts);
}

/// <summary>Some columns of tiles by some frames; frames and then columns are counted in rows.</summary>
internal readonly struct WinogradBlock
{
    /// <summary>The first column of tiles.</summary>
    public int FirstColumn { get; init; }

    /// <summary>Columns of tiles.</summary>
    public int Columns { get; init; }

    /// <summary>The first frame that is computed.</summary>
    public int FirstFrame { get; init; }

    /// <summary>Frames that are computed.</summary>
    public int Frames { get; init; }

    /// <summary>The first frame that is read.</summary>
    public int FirstInput { get; init; }

    /// <summary>Frames that are read.</summary>
    public int Inputs { get; init; }

    /// <summary>Tiles of outputs.</summary>
    public int Tiles => Columns * Frames;

    /// <summary>Tiles of inputs.</summary>
    public int InputTiles => Columns * Inputs;
}
