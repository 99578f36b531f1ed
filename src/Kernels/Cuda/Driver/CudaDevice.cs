using System.Globalization;
using System.Runtime.InteropServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// A GPU: its primary context, which every library of the process shares, the stream that computes, its memory and its
/// loaded modules. Opened once and kept to the end of the process.
/// </summary>
/// <remarks>Thread-safe. Every call makes the context current on the calling thread where it is not.</remarks>
public sealed unsafe class CudaDevice
{
    // CUdevice_attribute
    private const int Multiprocessors = 16, CapabilityMajor = 75, CapabilityMinor = 76, SharedMemoryOptIn = 97;

    [ThreadStatic]
    private static CudaDevice? t_current;

    private static readonly Lock s_gate = new();
    private static readonly Dictionary<int, CudaDevice> s_opened = [];
    private static bool s_isInitialised;

    private readonly int _handle;
    private readonly Dictionary<string, nint> _modules = [];
    private readonly Dictionary<CudaDevice, bool> _reached = [];

    private CudaDevice(int index)
    {
        Device = new Device(DeviceKind.Cuda, index);
        CudaException.Check(DriverApi.DeviceGet(out _handle, index), $"cuDeviceGet {index}");
        byte* name = stackalloc byte[128];
        CudaException.Check(DriverApi.DeviceGetName(name, 128, _handle), $"cuDeviceGetName of {Device}");
        Name = Marshal.PtrToStringUTF8((nint)name)!;
        CudaException.Check(DriverApi.DeviceTotalMem(out nuint bytes, _handle), $"cuDeviceTotalMem of {Device}");
        TotalMemory = (long)bytes;
        Capability = (Attribute(CapabilityMajor), Attribute(CapabilityMinor));
        MultiprocessorCount = Attribute(Multiprocessors);
        LargestSharedMemory = Attribute(SharedMemoryOptIn);
        CudaException.Check(DriverApi.DevicePrimaryCtxRetain(out nint context, _handle), $"cuDevicePrimaryCtxRetain of {Device}");
        Context = context;
        Stream = new CudaStream(this);
        Memory = new CudaMemory(this, _handle);
        DeviceMemory.Register(Device, Memory);
    }

    /// <summary>The number of GPUs that the driver offers.</summary>
    /// <exception cref="CudaException">The driver does not work, or there is no GPU.</exception>
    /// <exception cref="DllNotFoundException">There is no driver.</exception>
    public static int Count
    {
        get
        {
            Initialise();
            CudaException.Check(DriverApi.DeviceGetCount(out int count), "cuDeviceGetCount");
            return count;
        }
    }

    /// <summary>The driver's version, such as 12.8.</summary>
    public static string DriverVersion
    {
        get
        {
            CudaException.Check(DriverApi.DriverGetVersion(out int version), "cuDriverGetVersion");
            return string.Create(CultureInfo.InvariantCulture, $"{version / 1000}.{version % 1000 / 10}");
        }
    }

    /// <summary>The tensors' name of this device, such as <c>cuda:0</c>.</summary>
    public Device Device { get; }

    /// <summary>The product's name.</summary>
    public string Name { get; }

    /// <summary>The memory of the device in bytes.</summary>
    public long TotalMemory { get; }

    /// <summary>The compute capability, such as (9, 0).</summary>
    public (int Major, int Minor) Capability { get; }

    /// <summary>The number of multiprocessors.</summary>
    public int MultiprocessorCount { get; }

    /// <summary>The largest dynamic shared memory of a block, in bytes.</summary>
    public int LargestSharedMemory { get; }

    /// <summary>The stream on which operations compute; what is launched on it runs in order.</summary>
    public CudaStream Stream { get; }

    /// <summary>The memory of the device.</summary>
    public CudaMemory Memory { get; }

    /// <summary>The architecture that kernels are compiled for: sm_80, or sm_90a with the instructions that only that GPU has.</summary>
    internal string Architecture => string.Create(CultureInfo.InvariantCulture, $"sm_{Capability.Major}{Capability.Minor}{(Capability.Major >= 9 ? "a" : "")}");

    /// <summary>The primary context.</summary>
    internal nint Context { get; }

    /// <summary>The GPU with a number, opened if it is not yet; from then on tensors may lie in its memory.</summary>
    /// <exception cref="CudaException">There is no such GPU, or it does not work.</exception>
    /// <exception cref="DllNotFoundException">There is no driver.</exception>
    public static CudaDevice Open(int index)
    {
        lock (s_gate)
        {
            if (s_opened.TryGetValue(index, out CudaDevice? device)) return device;
            int count = Count;
            if (index < 0 || index >= count)
                throw new CudaException($"there is no cuda:{index}: the driver offers {count} {(count == 1 ? "GPU" : "GPUs")}, counted from 0");
            return s_opened[index] = new CudaDevice(index);
        }
    }

    /// <summary>The GPU on which a tensor lies.</summary>
    /// <exception cref="ArgumentException">It is not a GPU.</exception>
    public static CudaDevice Of(Device device) => device.Kind == DeviceKind.Cuda
        ? Open(device.Index)
        : throw new ArgumentException($"{device} is not a GPU");

    /// <summary>Waits until everything that was launched on this device is done.</summary>
    /// <exception cref="CudaException">Something failed on the device meanwhile.</exception>
    public void Synchronize()
    {
        Memory.RequireNotCapturing("the host waits for the device");
        MakeCurrent();
        DriverCalls.CountWait();
        CudaException.Check(DriverApi.CtxSynchronize(), $"cuCtxSynchronize of {Device} (a kernel before it may have failed; LAVT_CUDA_SYNC=1 names it)");
    }

    /// <summary>Whether kernels and copies of this device can use the memory of another directly; from the first call on they may.</summary>
    /// <returns>False if the two are not connected that way; copies then pass through the host.</returns>
    public bool Reaches(CudaDevice peer)
    {
        ArgumentNullException.ThrowIfNull(peer);
        if (peer == this) return true;
        lock (_reached)
        {
            if (!_reached.TryGetValue(peer, out bool reaches)) _reached.Add(peer, reaches = EnableAccessTo(peer));
            return reaches;
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Device} ({Name})";

    /// <summary>Makes the context current on the calling thread.</summary>
    internal void MakeCurrent()
    {
        if (t_current == this) return;
        CudaException.Check(DriverApi.CtxSetCurrent(Context), $"cuCtxSetCurrent of {Device}");
        t_current = this;
    }

    /// <summary>The module made from a source file with options, compiled and loaded at first use.</summary>
    internal nint Module(string file, string[] options)
    {
        string key = string.Join('\0', options.Prepend(file));
        lock (_modules)
        {
            if (_modules.TryGetValue(key, out nint module)) return module;
            Memory.RequireNotCapturing($"a kernel of {file} is loaded for the first time");
            MakeCurrent();
            module = CudaModule.Load(this, file, options);
            _modules.Add(key, module);
            return module;
        }
    }

    private static void Initialise()
    {
        lock (s_gate)
        {
            if (s_isInitialised) return;
            CudaException.Check(DriverApi.Init(0), "cuInit");
            s_isInitialised = true;
        }
    }

    private bool EnableAccessTo(CudaDevice peer)
    {
        CudaException.Check(DriverApi.DeviceCanAccessPeer(out int can, _handle, peer._handle), $"cuDeviceCanAccessPeer of {Device} to {peer.Device}");
        if (can == 0) return false;
        MakeCurrent();
        int result = DriverApi.CtxEnablePeerAccess(peer.Context, 0);
        if (result != CudaException.PeerAlreadyEnabled) CudaException.Check(result, $"cuCtxEnablePeerAccess of {Device} to {peer.Device}");
        peer.Memory.AllowAccessFrom(_handle);
        return true;
    }

    private int Attribute(int attribute)
    {
        CudaException.Check(DriverApi.DeviceGetAttribute(out int value, attribute, _handle), $"cuDeviceGetAttribute {attribute} of {Device}");
        return value;
    }
}
