namespace Lavt.Kernels;

/// <summary>
/// Extents along time, height and width: of a map of tokens, of a window, of a convolution's kernel, or how far something is
/// moved along each axis. A picture is a volume of one frame.
/// </summary>
/// <param name="Frames">Along time.</param>
/// <param name="Height">Rows.</param>
/// <param name="Width">Columns.</param>
public readonly record struct Volume(int Frames, int Height, int Width)
{
    /// <summary>The number of elements, frames · height · width.</summary>
    public int Count => checked(Frames * Height * Width);

    /// <summary>The number of elements of a frame, height · width.</summary>
    public int Plane => checked(Height * Width);

    /// <summary>The volume of one frame.</summary>
    public static Volume Picture(int height, int width) => new(1, height, width);

    /// <summary>Frames x height x width.</summary>
    public override string ToString() => $"{Frames}x{Height}x{Width}";
}
