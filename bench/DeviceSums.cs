using Lavt.Nn.Parallel;

namespace Lavt.Bench;

/// <summary>Sums of 64 MiB over CPU devices of one process, beside a copy of as much by one thread.</summary>
internal sealed unsafe class DeviceSums : IDisposable
{
    public const long Bytes = 64 << 20;
    private const long Count = Bytes / sizeof(float);

    private readonly FloatArray[] _arrays;
    private readonly FloatArray _copy = new((int)Count);
    private readonly DeviceCrew _crew;
    private readonly CollectiveQueue[] _links;
    private readonly LocalGroup _group;

    public DeviceSums(int devices, Connection connection)
    {
        _arrays = [.. Enumerable.Range(0, devices).Select(_ => new FloatArray((int)Count))];
        _crew = new DeviceCrew(devices, devices);
        _group = new LocalGroup(devices);
        _links = DeviceLink.Connect(_crew, _group, new LinkMode { Connection = connection });
    }

    public void Copy() => Buffer.MemoryCopy((float*)_arrays[0], (float*)_copy, Bytes, Bytes);

    public void Sum() => _crew.Run(queue =>
    {
        nint address = (nint)(float*)_arrays[queue.Rank];
        _links[queue.Rank].Start(member => member.Sum((float*)address, Count)).Wait();
    });

    public void Dispose()
    {
        _crew.Run(queue => _links[queue.Rank].Dispose());
        _crew.Dispose();
        _group.Dispose();
        foreach (FloatArray array in _arrays.Append(_copy)) array.Dispose();
    }
}
