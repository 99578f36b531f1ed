namespace Lavt.Data.Clips;

/// <summary>Clips that are loaded together. Valid until the next batch is asked for.</summary>
public sealed class ClipBatch
{
    private readonly ClipItem[] _items;

    internal ClipBatch(int capacity, ClipShape shape)
    {
        Shape = shape;
        // Pinned, so that a device can copy from them.
        byte[] frames = GC.AllocateUninitializedArray<byte>(checked(capacity * shape.FrameBytes), pinned: true);
        byte[] masks = GC.AllocateUninitializedArray<byte>(checked(capacity * shape.MaskBytes), pinned: true);
        _items = new ClipItem[capacity];
        for (int i = 0; i < capacity; i++)
            _items[i] = new ClipItem(shape, frames.AsMemory(i * shape.FrameBytes, shape.FrameBytes), masks.AsMemory(i * shape.MaskBytes, shape.MaskBytes));
    }

    /// <summary>The place of the batch in its epoch, from 0.</summary>
    public int Index { get; private set; }

    /// <summary>The number of clips.</summary>
    public int Count { get; private set; }

    /// <summary>The sizes of the clips.</summary>
    public ClipShape Shape { get; }

    /// <summary>The clips.</summary>
    public ReadOnlySpan<ClipItem> Items => _items.AsSpan(0, Count);

    /// <summary>A clip.</summary>
    public ClipItem this[int item] => Items[item];

    internal void Start(int index, ReadOnlySpan<ClipChoice> choices)
    {
        (Index, Count) = (index, choices.Length);
        for (int i = 0; i < choices.Length; i++) _items[i].Start(choices[i]);
    }
}
