using Lavt.Imaging;

namespace Lavt.Data;

/// <summary>Loads the picture and the mask of samples, with memory that is used again. Not thread-safe: one per thread.</summary>
public sealed class SampleReader
{
    private readonly PictureReader _reader = new();
    private readonly PictureTransform _transform = new();
    private readonly Picture _picture = new();

    /// <summary>Loads a sample.</summary>
    /// <param name="dataset">The samples and their size.</param>
    /// <param name="index">The index of the sample.</param>
    /// <param name="picture">Gets the picture, 3 × size × size, normalised (<see cref="PictureTransform"/>).</param>
    /// <param name="mask">Gets the mask at the picture's size by the nearest pixels, size × size of 0 and 1.</param>
    /// <param name="truth">Gets the mask at its original size.</param>
    /// <exception cref="DataException">The picture or the outline cannot be read; the message names sample and file.</exception>
    public void Read(ReferDataset dataset, int index, Span<float> picture, Span<byte> mask, Mask truth)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(truth);
        ReferSample sample = dataset[index];
        try
        {
            _reader.Read(dataset.DataOf(index).PicturePath(sample), _picture);
            _transform.Apply(_picture, dataset.ImageSize, picture);
            sample.Segmentation.Rasterize(sample.Image.Rows, sample.Image.Columns, truth);
        }
        catch (PictureException failure)
        {
            throw new DataException(new DataProblem(failure.File, dataset.PlaceOf(index), failure.Problem), DataException.VerifyAdvice, failure);
        }
        catch (FormatException failure)
        {
            throw new DataException(new DataProblem(dataset.DataOf(index).InstancePath, dataset.PlaceOf(index), failure.Message), DataException.VerifyAdvice, failure);
        }
        Resize.Nearest(truth.Pixels, truth.Rows, truth.Columns, mask, dataset.ImageSize, dataset.ImageSize);
    }
}
