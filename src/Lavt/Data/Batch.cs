using Lavt.Imaging;
using Lavt.Text;

namespace Lavt.Data;

/// <summary>
/// Samples in the layout that models read. The memory belongs to the <see cref="BatchLoader"/> and is filled anew for later
/// batches: what is needed longer than one turn of the loop must be copied.
/// </summary>
public sealed class Batch
{
    private readonly int _picture;
    private readonly int _plane;
    private readonly float[] _pictures;
    private readonly byte[] _masks;
    private readonly int[] _tokenIds;
    private readonly byte[] _tokenMask;
    private readonly Mask[] _truths;
    private readonly SampleChoice[] _choices;

    internal Batch(int capacity, int imageSize, int maxTokens)
    {
        (ImageSize, MaxTokens) = (imageSize, maxTokens);
        _plane = imageSize * imageSize;
        _picture = 3 * _plane;
        // Pinned, so that a device can copy from them.
        _pictures = GC.AllocateUninitializedArray<float>(checked(capacity * _picture), pinned: true);
        _masks = GC.AllocateUninitializedArray<byte>(capacity * _plane, pinned: true);
        _tokenIds = GC.AllocateArray<int>(capacity * maxTokens, pinned: true);
        _tokenMask = GC.AllocateArray<byte>(capacity * maxTokens, pinned: true);
        _choices = new SampleChoice[capacity];
        _truths = new Mask[capacity];
        for (int i = 0; i < capacity; i++) _truths[i] = new Mask();
    }

    /// <summary>The place of the batch in its epoch, from 0.</summary>
    public int Index { get; private set; }

    /// <summary>The number of items.</summary>
    public int Count { get; private set; }

    /// <summary>The side S of pictures and masks in pixels.</summary>
    public int ImageSize { get; }

    /// <summary>The length L of a row of word pieces.</summary>
    public int MaxTokens { get; }

    /// <summary>The pictures (Count, 3, S, S), normalised.</summary>
    public Span<float> Pictures => _pictures.AsSpan(0, Count * _picture);

    /// <summary>The masks (Count, S, S) of 0 and 1.</summary>
    public Span<byte> Masks => _masks.AsSpan(0, Count * _plane);

    /// <summary>The ids of the word pieces (Count, L), padded with 0.</summary>
    public Span<int> TokenIds => _tokenIds.AsSpan(0, Count * MaxTokens);

    /// <summary>1 for word pieces and 0 for padding (Count, L).</summary>
    public Span<byte> TokenMask => _tokenMask.AsSpan(0, Count * MaxTokens);

    /// <summary>Which sample and sentence each item is.</summary>
    public ReadOnlySpan<SampleChoice> Choices => _choices.AsSpan(0, Count);

    /// <summary>The mask of an item at its picture's original size.</summary>
    public Mask Truth(int item)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(item, Count);
        return _truths[item];
    }

    /// <summary>Gives an item another sentence, for example one that means another object of the same picture.</summary>
    /// <param name="item">The item.</param>
    /// <param name="tokens">The sentence as a row of <see cref="MaxTokens"/> word pieces.</param>
    public void UseSentence(int item, Tokens tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(item, Count);
        ArgumentOutOfRangeException.ThrowIfNotEqual(tokens.Ids.Length, MaxTokens, "tokens.Ids.Length");
        tokens.Ids.CopyTo(_tokenIds.AsSpan(item * MaxTokens));
        Span<byte> mask = _tokenMask.AsSpan(item * MaxTokens, MaxTokens);
        mask[..tokens.Count].Fill(1);
        mask[tokens.Count..].Clear();
    }

    internal void Start(int index, ReadOnlySpan<SampleChoice> choices)
    {
        (Index, Count) = (index, choices.Length);
        choices.CopyTo(_choices);
    }

    /// <summary>Loads a run of items that are sentences of one sample; the picture is read once.</summary>
    internal void Load(ReferDataset dataset, SampleReader reader, int first, int count)
    {
        Span<float> picture = PictureAt(first);
        Span<byte> mask = MaskAt(first);
        reader.Read(dataset, _choices[first].Sample, picture, mask, _truths[first]);
        for (int item = first; item < first + count; item++)
        {
            UseSentence(item, dataset.Sentences(_choices[item].Sample)[_choices[item].Sentence]);
            if (item == first) continue;
            picture.CopyTo(PictureAt(item));
            mask.CopyTo(MaskAt(item));
            _truths[item].Reshape(_truths[first].Rows, _truths[first].Columns);
            _truths[first].Pixels.CopyTo(_truths[item].Pixels);
        }
    }

    private Span<float> PictureAt(int item) => _pictures.AsSpan(item * _picture, _picture);

    private Span<byte> MaskAt(int item) => _masks.AsSpan(item * _plane, _plane);
}
