namespace Lavt.Data.Clips;

/// <summary>Several data sets one after the other as one.</summary>
public sealed class JoinedClips : IClipDataset
{
    private readonly IReadOnlyList<IClipDataset> _parts;
    private readonly int[] _ends;

    /// <summary>Joins data sets.</summary>
    /// <exception cref="ArgumentException">There is none, or the shapes of their clips differ.</exception>
    public JoinedClips(params IReadOnlyList<IClipDataset> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        if (parts.Count == 0 || parts.Any(part => part.Shape != parts[0].Shape))
            throw new ArgumentException("data sets that are joined have clips of the same shape", nameof(parts));
        _parts = parts;
        _ends = new int[parts.Count];
        for (int i = 0; i < parts.Count; i++) _ends[i] = Count += parts[i].Count;
    }

    /// <inheritdoc/>
    public string Name => string.Join(" + ", _parts.Select(part => part.Name));

    /// <inheritdoc/>
    public int Count { get; }

    /// <inheritdoc/>
    public ClipShape Shape => _parts[0].Shape;

    /// <inheritdoc/>
    public string PlaceOf(int sample)
    {
        (IClipDataset part, int index) = Find(sample);
        return $"{part.Name}, {part.PlaceOf(index)}";
    }

    /// <inheritdoc/>
    public void Load(ClipChoice choice, ClipReader reader, ClipItem into)
    {
        (IClipDataset part, int index) = Find(choice.Sample);
        part.Load(choice with { Sample = index }, reader, into);
    }

    private (IClipDataset Part, int Index) Find(int sample)
    {
        int part = Array.FindIndex(_ends, end => sample < end);
        return (_parts[part], sample - (part == 0 ? 0 : _ends[part - 1]));
    }
}
