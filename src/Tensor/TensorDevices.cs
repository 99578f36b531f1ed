namespace Lavt.Tensors;

/// <summary>Tensors in the memory of devices.</summary>
public static unsafe class TensorDevices
{
    /// <summary>The address of the first element in the memory of the tensor's device, for kernels of that device; null for no tensor.</summary>
    /// <exception cref="InvalidOperationException">The tensor is on the host, or <typeparamref name="T"/> is not its element type.</exception>
    public static T* DevicePointer<T>(this Tensor? tensor)
        where T : unmanaged
    {
        if (tensor is null) return null;
        if (tensor.Device.Kind == DeviceKind.Cpu)
            throw new InvalidOperationException($"an operation on a GPU was given {tensor}; all its tensors must be on one device (Ops.To, Module.MoveTo)");
        return tensor.AddressAs<T>();
    }

    /// <summary>A contiguous copy on a device, which may be the tensor's own.</summary>
    /// <exception cref="InvalidOperationException">The tensor is a view with gaps on a device other than the host.</exception>
    public static Tensor CopyTo(this Tensor tensor, Device device)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        Tensor source = tensor.IsContiguous || tensor.Device.Kind != DeviceKind.Cpu ? tensor : tensor.Copy();
        Tensor copy = Tensor.Empty(tensor.Shape, tensor.DType, device);
        copy.CopyFrom(source);
        return copy;
    }

    /// <summary>Copies the numbers of a contiguous tensor into another of the same size, wherever both are.</summary>
    internal static void CopyBytes(Tensor to, Tensor from)
    {
        long bytes = to.Count * to.DType.Size();
        nint target = to.Address, source = from.Address;
        if (from.Device.Kind == DeviceKind.Cpu && to.Device.Kind == DeviceKind.Cpu) Buffer.MemoryCopy((void*)source, (void*)target, bytes, bytes);
        else if (from.Device.Kind == DeviceKind.Cpu) DeviceMemory.Of(to.Device).CopyFromHost(target, source, bytes);
        else if (to.Device.Kind == DeviceKind.Cpu) DeviceMemory.Of(from.Device).CopyToHost(target, source, bytes);
        else if (to.Device == from.Device) DeviceMemory.Of(to.Device).CopyWithin(target, source, bytes);
        else DeviceMemory.Of(to.Device).CopyFromPeer(target, source, from.Device, bytes);
    }

    /// <summary>The same view over a copy of the whole storage on the host.</summary>
    internal static Tensor HostView(Tensor tensor)
    {
        Storage host = new(tensor.Storage.Bytes, Device.Cpu);
        MemoryScope.Own(host);
        DeviceMemory.Of(tensor.Device).CopyToHost(host.Data, tensor.Storage.Data, host.Bytes);
        return new Tensor(host, tensor.Shape, tensor.DType, tensor.CopyOfStrides(), tensor.Offset);
    }
}
