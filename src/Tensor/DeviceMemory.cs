namespace Lavt.Tensors;

/// <summary>
/// The memory of a device other than the host. Calls take effect in the order of the device's computing: a block that is
/// given back may still be read by what was started before.
/// </summary>
public interface IDeviceMemory
{
    /// <summary>A block of at least <paramref name="bytes"/> bytes, aligned to 256, not cleared.</summary>
    nint Allocate(long bytes);

    /// <summary>Gives a block back; <paramref name="bytes"/> is what was asked for. May be called on any thread.</summary>
    void Release(nint block, long bytes);

    /// <summary>Copies from host memory, which may be changed as soon as this returns.</summary>
    void CopyFromHost(nint to, nint from, long bytes);

    /// <summary>Waits for the device and copies to host memory.</summary>
    void CopyToHost(nint to, nint from, long bytes);

    /// <summary>Copies within the device.</summary>
    void CopyWithin(nint to, nint from, long bytes);

    /// <summary>Copies from another device of the same kind.</summary>
    void CopyFromPeer(nint to, nint from, Device source, long bytes);

    /// <summary>Sets bytes to 0.</summary>
    void Clear(nint block, long bytes);
}

/// <summary>The devices on which tensors may lie: those that the layer with their kernels has opened.</summary>
public static class DeviceMemory
{
    private static readonly Lock s_gate = new();
    private static readonly Dictionary<Device, IDeviceMemory> s_memories = [];

    /// <summary>Makes a device's memory usable; called once per device by what opens it.</summary>
    public static void Register(Device device, IDeviceMemory memory)
    {
        lock (s_gate) s_memories.Add(device, memory);
    }

    /// <summary>The memory of an opened device.</summary>
    /// <exception cref="InvalidOperationException">The device was not opened.</exception>
    public static IDeviceMemory Of(Device device)
    {
        lock (s_gate)
        {
            if (s_memories.TryGetValue(device, out IDeviceMemory? memory)) return memory;
        }
        throw new InvalidOperationException($"{device} is not open, so no tensor can lie on it; open it first (CudaDevice.Open) or move a tensor there (Ops.To)");
    }
}
