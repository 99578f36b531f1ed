using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>
/// The way from the memory of one GPU to that of another: straight where they are connected, otherwise in pieces through two
/// blocks of pinned memory, of which one is filled while the other is emptied.
/// </summary>
internal sealed class PeerLink : IDisposable
{
    private const int Slots = 2;

    private readonly CudaDevice _from;
    private readonly CudaStream _receiving;
    private readonly CudaStream? _sending;
    private readonly PinnedMemory[] _pinned = [];
    private readonly CudaEvent[] _filled = [], _free = [];
    private int _next;

    /// <summary>A way for pieces of at most <paramref name="pieceBytes"/>, which arrive in the order of <paramref name="receiving"/>.</summary>
    public PeerLink(CudaDevice from, CudaStream receiving, long pieceBytes)
    {
        (_from, _receiving) = (from, receiving);
        if (receiving.Device.Reaches(from)) return;
        _sending = new CudaStream(from);
        _pinned = [.. Enumerable.Range(0, Slots).Select(_ => new PinnedMemory(from, pieceBytes))];
        _filled = [.. Enumerable.Range(0, Slots).Select(_ => new CudaEvent(from))];
        _free = [.. Enumerable.Range(0, Slots).Select(_ => new CudaEvent(receiving.Device))];
    }

    /// <summary>Whether numbers go through the host.</summary>
    public bool IsStaged => _sending is not null;

    /// <summary>Lets what is sent from now on wait for a mark in a stream of the sender.</summary>
    public void WaitFor(CudaEvent written)
    {
        _receiving.Wait(written);
        _sending?.Wait(written);
    }

    /// <summary>Copies a piece.</summary>
    public void Copy(nint to, nint from, long bytes)
    {
        if (_sending is null)
        {
            PeerCopy.Enqueue(_receiving, to, _receiving.Device, from, _from, bytes);
            return;
        }
        int slot = _next++ % Slots;
        _sending.Wait(_free[slot]);
        _pinned[slot].CopyFrom(from, bytes, _sending);
        _filled[slot].Record(_sending);
        _receiving.Wait(_filled[slot]);
        _pinned[slot].CopyTo(to, bytes, _receiving);
        _free[slot].Record(_receiving);
    }

    /// <summary>Gives streams, events and pinned memory back; nothing may be under way.</summary>
    public void Dispose()
    {
        _sending?.Dispose();
        foreach (CudaEvent mark in _filled.Concat(_free)) mark.Dispose();
        foreach (PinnedMemory memory in _pinned) memory.Dispose();
    }
}
