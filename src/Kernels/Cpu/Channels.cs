namespace Lavt.Kernels.Cpu;

/// <summary>Moves some channels of every pixel, which is how maps are put together and taken apart along channels.</summary>
public static unsafe class Channels
{
    private const int FloatsPerPiece = 32768;

    /// <summary>Copies <paramref name="channels"/> float32 values per pixel.</summary>
    /// <param name="source">The first value to read: the array plus the first channel.</param>
    /// <param name="sourcePixelStride">Floats from one pixel to the next.</param>
    /// <param name="destination">The first value to write.</param>
    /// <param name="destinationPixelStride">Floats from one pixel to the next.</param>
    /// <param name="pixels">The number of pixels.</param>
    /// <param name="channels">The number of channels to copy.</param>
    public static void Copy(float* source, long sourcePixelStride, float* destination, long destinationPixelStride, long pixels, int channels)
    {
        if (pixels == 0 || channels == 0) return;
        long pixelsPerPiece = Math.Max(1, FloatsPerPiece / channels);
        CopyBody body = new()
        {
            Source = source,
            SourceStride = sourcePixelStride,
            Destination = destination,
            DestinationStride = destinationPixelStride,
            Pixels = pixels,
            PixelsPerPiece = pixelsPerPiece,
            Channels = channels,
        };
        Workers.Current.For(SimdLoop.Pieces(pixels, pixelsPerPiece), ref body);
    }

    private struct CopyBody : ILoopBody
    {
        public float* Source, Destination;
        public long SourceStride, DestinationStride, Pixels, PixelsPerPiece;
        public int Channels;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(CopyBody), 2.0 * Pixels * Channels);

        public readonly void Run(int index, int worker)
        {
            long last = Math.Min(Pixels, (index + 1) * PixelsPerPiece);
            for (long pixel = index * PixelsPerPiece; pixel < last; pixel++)
                new ReadOnlySpan<float>(Source + pixel * SourceStride, Channels).CopyTo(new Span<float>(Destination + pixel * DestinationStride, Channels));
        }
    }
}
