using Lavt.Imaging;

namespace Lavt.Data.Clips;

/// <summary>Reads frames and masks of clips with memory that is used again. Not thread-safe: one per thread.</summary>
public sealed class ClipReader
{
    private readonly PictureReader _reader = new();
    private readonly BilinearResizer _resizer = new();
    private readonly Picture _square = new();

    /// <summary>Room for a picture that is read as a whole.</summary>
    internal Picture Picture { get; } = new();

    /// <summary>Room for a picture that is made of <see cref="Picture"/>.</summary>
    internal Picture Changed { get; } = new();

    /// <summary>Room for a picture with other colours.</summary>
    internal Picture Coloured { get; } = new();

    /// <summary>Room for a picture that was moved.</summary>
    internal Picture Moved { get; } = new();

    /// <summary>Room for a mask at its original size.</summary>
    internal Mask Mask { get; } = new();

    /// <summary>Room for the mask of <see cref="Changed"/>.</summary>
    internal Mask ChangedMask { get; } = new();

    /// <summary>Reads a frame from a file into its place of a clip.</summary>
    /// <exception cref="DataException">The file is missing or broken.</exception>
    internal void ReadFrame(string path, string place, ClipItem into, int frame)
    {
        ReadPicture(path, place, Picture);
        TakeFrame(Picture, into, frame);
    }

    /// <summary>Reads a picture at its own size.</summary>
    /// <exception cref="DataException">The file is missing or broken.</exception>
    internal void ReadPicture(string path, string place, Picture into)
    {
        try
        {
            _reader.Read(path, into);
        }
        catch (PictureException failure)
        {
            throw Broken(failure, place);
        }
    }

    /// <summary>Reads the palette indices of a mask at its own size.</summary>
    /// <exception cref="DataException">The file is missing or broken.</exception>
    internal void ReadIndices(string path, string place, Mask into)
    {
        try
        {
            _reader.Read(path, into);
        }
        catch (PictureException failure)
        {
            throw Broken(failure, place);
        }
    }

    /// <summary>Squashes a frame into its place of a clip.</summary>
    internal void TakeFrame(Picture picture, ClipItem into, int frame)
    {
        int size = into.Shape.Size;
        (into.OriginalRows, into.OriginalColumns) = (picture.Rows, picture.Columns);
        _square.Reshape(size, size);
        _resizer.Run(picture, _square);
        _square.Pixels.CopyTo(into.Frame(frame));
    }

    /// <summary>Squashes a mask into its place of a clip.</summary>
    internal static void TakeMask(Mask mask, ClipItem into, int place)
    {
        int size = into.Shape.Size;
        Resize.Nearest(mask.Pixels, mask.Rows, mask.Columns, into.Mask(place), size, size);
    }

    internal static DataException Broken(PictureException failure, string place) =>
        new(new DataProblem(failure.File, place, failure.Problem), DataException.VerifyAdvice, failure);
}
