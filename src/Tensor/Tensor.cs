using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lavt.Tensors;

/// <summary>
/// A dense array of numbers with a shape, a type and a place. Holds data only: arithmetic is in Lavt.Kernels, gradients in
/// Lavt.Autograd. Memory is managed by <see cref="MemoryScope"/> and the tape; there is nothing to dispose.
/// </summary>
public sealed unsafe class Tensor
{
    private readonly Strides _strides;

    internal Tensor(Storage storage, Shape shape, DType dtype, in Strides strides, long offset)
    {
        Storage = storage;
        Shape = shape;
        DType = dtype;
        Offset = offset;
        _strides = strides;
        IsContiguous = strides.AreContiguous(shape);
    }

    /// <summary>The extents, outermost first.</summary>
    public Shape Shape { get; }

    /// <summary>The element type.</summary>
    public DType DType { get; }

    /// <summary>Where the numbers are.</summary>
    public Device Device => Storage.Device;

    /// <summary>The number of dimensions.</summary>
    public int Rank => Shape.Rank;

    /// <summary>The number of elements.</summary>
    public long Count => Shape.Count;

    /// <summary>True if the elements lie one after the other in row-major order.</summary>
    public bool IsContiguous { get; }

    /// <summary>The distance, in elements, from the start of the storage to the first element.</summary>
    public long Offset { get; }

    /// <summary>What the tape knows of this tensor; owned by Lavt.Autograd.</summary>
    internal object? GradientState { get; set; }

    /// <summary>The memory behind this tensor, perhaps shared with views.</summary>
    internal Storage Storage { get; private set; }

    /// <summary>A tensor whose values are not set.</summary>
    public static Tensor Empty(Shape shape, DType dtype = DType.F32, Device device = default)
    {
        Storage storage = new(Math.Max(1, shape.Count) * dtype.Size(), device);
        MemoryScope.Own(storage);
        return new Tensor(storage, shape, dtype, Strides.Contiguous(shape), 0);
    }

    /// <summary>A tensor of zeros.</summary>
    public static Tensor Zeros(Shape shape, DType dtype = DType.F32, Device device = default)
    {
        Tensor tensor = Empty(shape, dtype, device);
        if (device.Kind == DeviceKind.Cpu) NativeMemory.Clear((void*)tensor.Storage.Data, (nuint)tensor.Storage.Bytes);
        else DeviceMemory.Of(device).Clear(tensor.Storage.Data, tensor.Storage.Bytes);
        return tensor;
    }

    /// <summary>A tensor on this one's device and of its type whose values are not set.</summary>
    public Tensor EmptyLike(Shape shape) => Empty(shape, DType, Device);

    /// <summary>A tensor of zeros on the CPU whose memory is taken when it is first used.</summary>
    public static Tensor ZerosWhenUsed(Shape shape, DType dtype = DType.F32)
    {
        long bytes = Math.Max(1, shape.Count) * dtype.Size();
        return FilledWhenUsed(shape, dtype, data => NativeMemory.Clear((void*)data, (nuint)bytes));
    }

    /// <summary>A tensor that holds a copy of <paramref name="values"/>.</summary>
    /// <exception cref="ArgumentException">The number of values is not that of <paramref name="shape"/>.</exception>
    public static Tensor From<T>(ReadOnlySpan<T> values, Shape shape)
        where T : unmanaged
    {
        if (values.Length != shape.Count)
            throw new ArgumentException($"a tensor of shape {shape} needs {shape.Count} values, got {values.Length}");
        Tensor tensor = Empty(shape, DTypes.Of<T>());
        values.CopyTo(tensor.Span<T>());
        return tensor;
    }

    /// <inheritdoc cref="From{T}(ReadOnlySpan{T}, Shape)"/>
    public static Tensor From<T>(T[] values, Shape shape)
        where T : unmanaged => From<T>(values.AsSpan(), shape);

    /// <summary>A tensor of no dimensions that holds one value.</summary>
    public static Tensor Scalar<T>(T value)
        where T : unmanaged => From<T>([value], []);

    /// <summary>The distance, in elements, between neighbours along an axis.</summary>
    public long Stride(int axis) => _strides[Shape.Axis(axis)];

    /// <summary>The address of the first element of a tensor on the host, for kernels of the processor.</summary>
    /// <param name="operation">What asks; the compiler fills in the caller's name.</param>
    /// <exception cref="InvalidOperationException"><typeparamref name="T"/> is not the element type.</exception>
    /// <exception cref="MissingKernelException">The tensor is on another device, so the operation that asks has no kernel for it.</exception>
    public T* Pointer<T>([CallerMemberName] string operation = "")
        where T : unmanaged
    {
        if (Device.Kind != DeviceKind.Cpu)
            throw new MissingKernelException($"{operation} has no kernel for {Device}, where its {DType}{Shape} lies; move the tensor to the CPU for it (Ops.To)");
        return AddressAs<T>();
    }

    /// <summary>The elements in order.</summary>
    /// <exception cref="InvalidOperationException">The tensor is not contiguous, or <typeparamref name="T"/> is not its type.</exception>
    public Span<T> Span<T>()
        where T : unmanaged
    {
        if (!IsContiguous)
            throw new InvalidOperationException($"a view of shape {Shape} is not contiguous; call Contiguous() first");
        return new Span<T>(Pointer<T>(), checked((int)Count));
    }

    /// <summary>A copy of the elements in row-major order, also of views.</summary>
    public T[] ToArray<T>()
        where T : unmanaged
    {
        if (Device.Kind != DeviceKind.Cpu) return TensorDevices.HostView(this).ToArray<T>();
        T[] values = new T[Count];
        T* source = Pointer<T>();
        if (IsContiguous)
        {
            new Span<T>(source, values.Length).CopyTo(values);
            return values;
        }
        StridedIndex index = new(this);
        for (long i = 0; i < values.Length; i++, index.Next()) values[i] = source[index.Offset];
        return values;
    }

    /// <summary>The only element of a tensor that has one.</summary>
    public T Item<T>()
        where T : unmanaged
    {
        if (Count != 1) throw new InvalidOperationException($"Item() needs a tensor of one element, this one has shape {Shape}");
        return ToArray<T>()[0];
    }

    /// <summary>A new contiguous tensor with the same values.</summary>
    public Tensor Copy()
    {
        Tensor copy = Empty(Shape, DType, Device);
        copy.CopyFrom(this);
        return copy;
    }

    /// <summary>Overwrites this contiguous tensor with the values of <paramref name="source"/>, which has the same shape and type.</summary>
    /// <exception cref="ArgumentException">Shapes or types differ.</exception>
    public void CopyFrom(Tensor source)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (source.Shape != Shape || source.DType != DType)
            throw new ArgumentException($"cannot copy {source.DType}{source.Shape} into {DType}{Shape}");
        if (!IsContiguous) throw new InvalidOperationException($"cannot copy into a view of shape {Shape} that is not contiguous");
        if (source.IsContiguous)
        {
            TensorDevices.CopyBytes(this, source);
            return;
        }
        if (source.Device.Kind != DeviceKind.Cpu)
            throw new InvalidOperationException($"cannot copy {source}, a view with gaps; Ops.Contiguous makes one without");
        int size = DType.Size();
        byte* to = (byte*)Address, from = (byte*)source.Address;
        if (size == 4) Gather((int*)from, (int*)to, source);
        else if (size == 8) Gather((long*)from, (long*)to, source);
        else if (size == 2) Gather((short*)from, (short*)to, source);
        else Gather(from, to, source);
    }

    /// <summary>A view of the same numbers with other extents.</summary>
    /// <exception cref="ArgumentException">The number of elements differs.</exception>
    /// <exception cref="InvalidOperationException">The tensor is not contiguous.</exception>
    public Tensor ViewAs(Shape shape)
    {
        if (shape.Count != Count) throw new ArgumentException($"cannot view a tensor of shape {Shape} ({Count} elements) as {shape} ({shape.Count})");
        if (!IsContiguous) throw new InvalidOperationException($"cannot view a tensor of shape {Shape} as {shape}: it is not contiguous");
        return new Tensor(Storage, shape, DType, Strides.Contiguous(shape), Offset);
    }

    /// <summary>A view with the axes in another order: axis i of the result is axis <c>axes[i]</c> of this tensor.</summary>
    /// <exception cref="ArgumentException"><paramref name="axes"/> is no permutation.</exception>
    public Tensor ViewPermuted(params ReadOnlySpan<int> axes)
    {
        if (axes.Length != Rank) throw new ArgumentException($"a permutation of {Rank} axes has {Rank} entries, got {axes.Length}");
        Span<int> dims = stackalloc int[Rank];
        Strides strides = default;
        int seen = 0;
        for (int i = 0; i < Rank; i++)
        {
            int axis = Shape.Axis(axes[i]);
            seen |= 1 << axis;
            dims[i] = Shape[axis];
            strides[i] = _strides[axis];
        }
        if (seen != (1 << Rank) - 1) throw new ArgumentException("a permutation names every axis once");
        return new Tensor(Storage, new Shape(dims), DType, strides, Offset);
    }

    /// <summary>A view of the part <paramref name="start"/> … <paramref name="start"/> + <paramref name="length"/> of one axis.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie within the axis.</exception>
    public Tensor ViewSlice(int axis, int start, int length)
    {
        axis = Shape.Axis(axis);
        if (start < 0 || length < 0 || start + length > Shape[axis])
            throw new ArgumentOutOfRangeException(nameof(start), $"slice [{start}, {start + length}) of axis {axis} of a tensor of shape {Shape}");
        return new Tensor(Storage, Shape.With(axis, length), DType, _strides, Offset + start * _strides[axis]);
    }

    /// <summary>Makes the numbers outlive every scope; for parameters, optimizer state and results that a caller keeps.</summary>
    public Tensor Persist()
    {
        Storage.Retain();
        Storage.TellCollector();
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{DType}{Shape} on {Device}";

    internal Strides CopyOfStrides() => _strides;

    /// <summary>The address of the first element on the tensor's device.</summary>
    internal nint Address => Storage.Data + (nint)(Offset * DType.Size());

    /// <summary><see cref="Address"/> for elements of a type, which must be the tensor's.</summary>
    internal T* AddressAs<T>()
        where T : unmanaged
    {
        if (sizeof(T) != DType.Size() || (DType != DType.BF16 && DTypes.Of<T>() != DType && DType != DType.Bool))
            throw new InvalidOperationException($"a tensor of type {DType} was read as {typeof(T).Name}");
        return (T*)Address;
    }

    /// <summary>Moves the numbers of a tensor that is alone in its memory to another device; the tensor stays the same object.</summary>
    internal void MoveTo(Device device)
    {
        if (device == Device) return;
        if (!IsContiguous || Offset != 0) throw new InvalidOperationException($"{this} is part of another tensor and cannot move alone");
        Storage before = Storage;
        Storage moved = new(before.Bytes, device);
        moved.Retain();
        Tensor target = new(moved, Shape, DType, _strides, 0);
        TensorDevices.CopyBytes(target, this);
        Storage = moved;
        before.Discard();
    }

    /// <summary>A tensor whose memory is taken, and set by <paramref name="fill"/>, when it is first used.</summary>
    internal static Tensor FilledWhenUsed(Shape shape, DType dtype, Action<nint> fill)
    {
        Storage storage = new(Math.Max(1, shape.Count) * dtype.Size(), fill);
        MemoryScope.Own(storage);
        return new Tensor(storage, shape, dtype, Strides.Contiguous(shape), 0);
    }

    /// <summary>Takes over the memory of another tensor of the same shape and type instead of copying it; the own memory is given back.</summary>
    internal void Adopt(Tensor source)
    {
        if (source.Shape != Shape || source.DType != DType || !source.IsContiguous || source.Offset != 0 || Offset != 0)
            throw new ArgumentException($"{this} cannot take over the memory of {source}");
        Storage before = Storage;
        Storage = source.Storage;
        Storage.Retain();
        before.Discard();
    }

    /// <summary>Gives the memory back for good; the tensor must not be read any more.</summary>
    internal void Discard() => Storage.Discard();

    private static void Gather<T>(T* from, T* to, Tensor source)
        where T : unmanaged
    {
        StridedIndex index = new(source);
        for (long i = 0; i < source.Count; i++, index.Next()) to[i] = from[index.Offset];
    }
}
