namespace Lavt.Data.Clips;

/// <summary>How a picture becomes a clip.</summary>
public enum PictureClipKind
{
    /// <summary>Every frame is the picture.</summary>
    Repeated,

    /// <summary>One frame is the picture, the others are changed by random amounts (<see cref="PictureMotion"/>), in random order.</summary>
    Moving,
}

/// <summary>Clips made of pictures: every sentence of every object is a sample, and every frame has a mask.</summary>
public sealed class PictureClips : IClipDataset
{
    private readonly ReferDataset _pictures;
    private readonly PictureClipKind _kind;
    private readonly List<SampleChoice> _samples = [];

    /// <summary>Takes the sentences of a split of pictures.</summary>
    /// <param name="pictures">The split, with rows of <see cref="ClipShape.MaxTokens"/> word pieces.</param>
    /// <param name="frames">The number of frames of a clip (--num_frames).</param>
    /// <param name="kind">How a picture becomes a clip.</param>
    public PictureClips(ReferDataset pictures, int frames, PictureClipKind kind)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        ArgumentOutOfRangeException.ThrowIfLessThan(frames, 1);
        (_pictures, _kind) = (pictures, kind);
        Shape = new ClipShape(frames, frames, pictures.ImageSize, pictures.MaxTokens);
        _samples = [.. pictures.EvaluationPlan()];
    }

    /// <inheritdoc/>
    public string Name => $"{_pictures.Name} {_pictures.Split}";

    /// <inheritdoc/>
    public int Count => _samples.Count;

    /// <inheritdoc/>
    public ClipShape Shape { get; }

    /// <inheritdoc/>
    public string PlaceOf(int sample) => _pictures.PlaceOf(_samples[sample].Sample);

    /// <inheritdoc/>
    public void Load(ClipChoice choice, ClipReader reader, ClipItem into)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(into);
        (int sample, int sentence) = _samples[choice.Sample];
        ReadOriginal(sample, reader);
        into.Begin(Shape.Frames).Clear();
        into.Truth.Reshape(reader.Mask.Rows, reader.Mask.Columns);
        reader.Mask.Pixels.CopyTo(into.Truth.Pixels);
        RandomSequence random = new(choice.Draw, 0);
        int[] places = _kind == PictureClipKind.Moving ? random.Choose(Enumerable.Range(0, Shape.Frames), Shape.Frames) : [.. Enumerable.Range(0, Shape.Frames)];
        reader.TakeFrame(reader.Picture, into, places[0]);
        ClipReader.TakeMask(reader.Mask, into, places[0]);
        foreach (int place in places.AsSpan(1)) AddFrame(place, places[0], random, reader, into);
        (into.Sentence, into.Tokens) = (_pictures[sample].Sentences[sentence].Raw, _pictures.Sentences(sample)[sentence]);
        into.Name = $"{_pictures.PlaceOf(sample)}, sentence {sentence}";
    }

    private void AddFrame(int place, int original, RandomSequence random, ClipReader reader, ClipItem into)
    {
        if (_kind == PictureClipKind.Repeated)
        {
            into.Frame(original).CopyTo(into.Frame(place));
            into.Mask(original).CopyTo(into.Mask(place));
            return;
        }
        PictureMotion.Apply(reader.Picture, reader.Mask, random, reader, reader.Changed, reader.ChangedMask);
        reader.TakeFrame(reader.Changed, into, place);
        ClipReader.TakeMask(reader.ChangedMask, into, place);
    }

    private void ReadOriginal(int sample, ClipReader reader)
    {
        ReferData data = _pictures.DataOf(sample);
        ReferSample item = _pictures[sample];
        reader.ReadPicture(data.PicturePath(item), _pictures.PlaceOf(sample), reader.Picture);
        if ((reader.Picture.Rows, reader.Picture.Columns) != (item.Image.Rows, item.Image.Columns))
            throw Broken(data.PicturePath(item), $"the picture has {reader.Picture.Rows} x {reader.Picture.Columns} pixels, {data.InstancePath} says {item.Image.Rows} x {item.Image.Columns}", null);
        try
        {
            item.Segmentation.Rasterize(item.Image.Rows, item.Image.Columns, reader.Mask);
        }
        catch (FormatException failure)
        {
            throw Broken(data.InstancePath, failure.Message, failure);
        }

        DataException Broken(string file, string text, Exception? cause) => new(new DataProblem(file, _pictures.PlaceOf(sample), text), DataException.VerifyAdvice, cause);
    }
}
