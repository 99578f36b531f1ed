namespace Lavt.Imaging;

/// <summary>
/// Makes a model's input of a picture: squashed to a square with <see cref="BilinearResizer"/>, scaled to 0 … 1, less the
/// mean and divided by the deviation of ImageNet, one plane for each channel. Not thread-safe: one per thread.
/// </summary>
public sealed class PictureTransform
{
    private static readonly float[] s_mean = [0.485f, 0.456f, 0.406f];
    private static readonly float[] s_deviation = [0.229f, 0.224f, 0.225f];
    private static readonly float[][] s_values = [Values(0), Values(1), Values(2)];

    private readonly BilinearResizer _resizer = new();
    private readonly Picture _square = new();

    /// <summary>Writes the input for a picture.</summary>
    /// <param name="picture">A picture of at least one pixel.</param>
    /// <param name="size">The side of the square in pixels.</param>
    /// <param name="planes">Gets 3 × size × size values: red, green, blue.</param>
    /// <exception cref="ArgumentException"><paramref name="planes"/> has another length.</exception>
    public void Apply(Picture picture, int size, Span<float> planes)
    {
        if (planes.Length != 3 * size * size)
            throw new ArgumentException($"a picture of {size} x {size} pixels has {3 * size * size} values, got room for {planes.Length}", nameof(planes));
        _square.Reshape(size, size);
        _resizer.Run(picture, _square);
        Normalise(_square.Pixels, size * size, planes);
    }

    /// <summary>Writes the input for pictures that have the right size already.</summary>
    /// <param name="pixels">Red, green and blue of each pixel, picture after picture.</param>
    /// <param name="plane">The number of pixels of a picture.</param>
    /// <param name="planes">Gets three planes for each picture.</param>
    /// <exception cref="ArgumentException">The lengths do not fit.</exception>
    public static void Normalise(ReadOnlySpan<byte> pixels, int plane, Span<float> planes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(plane, 1);
        if (pixels.Length != planes.Length || pixels.Length % (3 * plane) != 0)
            throw new ArgumentException($"pictures of {plane} pixels have 3 x {plane} values each, got {pixels.Length} and room for {planes.Length}", nameof(planes));
        float[] reds = s_values[0], greens = s_values[1], blues = s_values[2];
        for (; pixels.Length > 0; pixels = pixels[(3 * plane)..], planes = planes[(3 * plane)..])
        {
            Span<float> red = planes[..plane], green = planes.Slice(plane, plane), blue = planes.Slice(2 * plane, plane);
            for (int i = 0, from = 0; i < red.Length; i++, from += 3)
            {
                red[i] = reds[pixels[from]];
                green[i] = greens[pixels[from + 1]];
                blue[i] = blues[pixels[from + 2]];
            }
        }
    }

    /// <summary>The 256 values of a channel, in the order and precision of torchvision's ToTensor and Normalize.</summary>
    private static float[] Values(int channel) =>
        [.. Enumerable.Range(0, 256).Select(value => (value / 255f - s_mean[channel]) / s_deviation[channel])];
}
