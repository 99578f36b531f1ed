namespace Lavt.Tensors;

/// <summary>
/// A contiguous stretch of memory of which parts are in use. Its free parts are kept in the order of their addresses,
/// neighbours joined; requests are served from the first part that is large enough, which keeps the others whole.
/// </summary>
internal sealed class MemoryRegion
{
    private readonly List<(nint Address, nint Size)> _free = [];

    /// <summary>A region all of which is free.</summary>
    public MemoryRegion(nint address, nint size)
    {
        (Address, Size) = (address, size);
        _free.Add((address, size));
    }

    /// <summary>The first byte.</summary>
    public nint Address { get; }

    /// <summary>The size in bytes.</summary>
    public nint Size { get; }

    /// <summary>Whether nothing is in use.</summary>
    public bool IsFree => _free.Count == 1 && _free[0].Size == Size;

    /// <summary>Whether an address lies in this region.</summary>
    public bool Holds(nint address) => address >= Address && address < Address + Size;

    /// <summary>Takes <paramref name="size"/> bytes; 0 if no free part is large enough.</summary>
    public nint Take(nint size)
    {
        for (int i = 0; i < _free.Count; i++)
        {
            (nint address, nint free) = _free[i];
            if (free < size) continue;
            if (free == size) _free.RemoveAt(i);
            else _free[i] = (address + size, free - size);
            return address;
        }
        return 0;
    }

    /// <summary>Takes a part back.</summary>
    public void Give(nint address, nint size)
    {
        int at = FirstBehind(address);
        if (at < _free.Count && _free[at].Address == address + size)
        {
            size += _free[at].Size;
            _free.RemoveAt(at);
        }
        if (at > 0 && _free[at - 1].Address + _free[at - 1].Size == address)
            _free[at - 1] = (_free[at - 1].Address, _free[at - 1].Size + size);
        else
            _free.Insert(at, (address, size));
    }

    /// <summary>The index of the first free part that begins behind <paramref name="address"/>.</summary>
    private int FirstBehind(nint address)
    {
        int low = 0, high = _free.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_free[middle].Address <= address) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
