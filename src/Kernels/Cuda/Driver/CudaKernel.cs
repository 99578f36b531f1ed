using System.Globalization;
using System.Text;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// A kernel: a function of one of the embedded .cu files, compiled with options for the GPU at hand when it is first
/// launched. Made once, as a static field of the class that launches it; a launch then allocates nothing.
/// </summary>
public sealed unsafe class CudaKernel
{
    /// <summary>Dynamic shared memory above this many bytes must be asked for by an attribute of the function.</summary>
    private const int FreeSharedBytes = 48 * 1024;

    /// <summary>CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES.</summary>
    private const int MaxDynamicSharedBytes = 8;

    private static readonly List<CudaKernel> s_made = [];

    private readonly string _file;
    private readonly string _name;
    private readonly string[] _options;
    private readonly Lock _gate = new();
    private Function?[] _functions = [];

    /// <summary>A kernel that is not compiled yet.</summary>
    /// <param name="file">The .cu file among the embedded ones.</param>
    /// <param name="name">The function, declared <c>extern "C" __global__</c>.</param>
    /// <param name="options">Options of the compiler, such as <c>-DTILE=64</c>.</param>
    public CudaKernel(string file, string name, params string[] options)
    {
        (_file, _name, _options) = (file, name, options);
        lock (s_made) s_made.Add(this);
    }

    /// <summary>The kernels of all classes that were used so far.</summary>
    internal static IReadOnlyList<CudaKernel> Made
    {
        get
        {
            lock (s_made) return [.. s_made];
        }
    }

    /// <summary>The file, the function and the options that it is compiled with.</summary>
    internal (string File, string Name, string[] Options) Source => (_file, _name, _options);

    /// <summary>Puts a launch into a stream. A grid without blocks launches nothing.</summary>
    /// <param name="stream">The stream; its device compiles and loads the kernel if it has not yet.</param>
    /// <param name="grid">The number of blocks.</param>
    /// <param name="block">Threads per block, at most 1024.</param>
    /// <param name="sharedBytes">Dynamic shared memory per block.</param>
    /// <param name="arguments">The kernel's arguments, of the types of its parameters.</param>
    /// <exception cref="CudaException">The kernel does not compile, the arguments are not those that it takes, or the launch is refused.</exception>
    public void Launch(CudaStream stream, Grid grid, int block, int sharedBytes, params ReadOnlySpan<KernelArgument> arguments)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (grid.X == 0 || grid.Y == 0 || grid.Z == 0) return;
        CudaDevice device = stream.Device;
        Function function = FunctionOn(device);
        CheckArguments(function, arguments);
        device.MakeCurrent();
        if (sharedBytes > function.SharedBytes) AllowShared(function, sharedBytes, device);
        void** addresses = stackalloc void*[arguments.Length];
        fixed (KernelArgument* argument = arguments)
        {
            for (int i = 0; i < arguments.Length; i++) addresses[i] = KernelArgument.AddressOf(argument + i);
            int result = DriverApi.LaunchKernel(function.Handle, checked((uint)grid.X), (uint)grid.Y, (uint)grid.Z, (uint)block, 1, 1, (uint)sharedBytes, stream.Handle, addresses, null);
            DriverCalls.CountLaunch();
            if (result == 0 && CudaStream.WaitsAlways && !device.Memory.IsCapturing) result = DriverApi.StreamSynchronize(stream.Handle);
            if (result != 0) CudaException.Check(result, Describe(device, grid, block, sharedBytes, arguments));
        }
    }

    /// <summary>Compiles and loads the kernel for a device now rather than at its first launch.</summary>
    public void Load(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        FunctionOn(device);
    }

    /// <summary>The driver's CUfunction on a device.</summary>
    internal nint HandleOn(CudaDevice device) => FunctionOn(device).Handle;

    private Function FunctionOn(CudaDevice device)
    {
        int index = device.Device.Index;
        Function?[] functions = Volatile.Read(ref _functions);
        return index < functions.Length && functions[index] is { } function ? function : LoadOn(device, index);
    }

    private Function LoadOn(CudaDevice device, int index)
    {
        lock (_gate)
        {
            if (index < _functions.Length && _functions[index] is { } known) return known;
            nint module = device.Module(_file, _options);
            device.MakeCurrent();
            nint handle;
            fixed (byte* name = Encoding.UTF8.GetBytes(_name + '\0'))
                CudaException.Check(DriverApi.ModuleGetFunction(out handle, module, name), $"cuModuleGetFunction of {_name} in {_file}");
            Function?[] functions = new Function?[Math.Max(_functions.Length, index + 1)];
            _functions.CopyTo(functions, 0);
            Function function = new(handle, ParameterSizes(handle)) { SharedBytes = FreeSharedBytes };
            functions[index] = function;
            Volatile.Write(ref _functions, functions);
            return function;
        }
    }

    /// <summary>The sizes of the kernel's parameters; null if the driver is too old to tell (before CUDA 12.4).</summary>
    private static int[]? ParameterSizes(nint function)
    {
        if (!CudaLibraries.DriverExports("cuFuncGetParamInfo")) return null;
        List<int> sizes = [];
        while (DriverApi.FuncGetParamInfo(function, (nuint)sizes.Count, out _, out nuint size) == 0) sizes.Add((int)size);
        return [.. sizes];
    }

    private void CheckArguments(Function function, ReadOnlySpan<KernelArgument> arguments)
    {
        if (function.ParameterSizes is not { } sizes) return;
        if (sizes.Length != arguments.Length)
            throw new CudaException($"{_name} in {_file} takes {sizes.Length} arguments, got {arguments.Length}");
        for (int i = 0; i < sizes.Length; i++)
            if (sizes[i] != arguments[i].Size)
                throw new CudaException($"{_name} in {_file}: parameter {i} has {sizes[i]} bytes, the argument {arguments[i].Size}; long long is long, int is int, float is float");
    }

    private void AllowShared(Function function, int sharedBytes, CudaDevice device)
    {
        if (sharedBytes > device.LargestSharedMemory)
            throw new CudaException($"{_name} in {_file} needs {sharedBytes} bytes of shared memory per block, {device} has {device.LargestSharedMemory}");
        CudaException.Check(DriverApi.FuncSetAttribute(function.Handle, MaxDynamicSharedBytes, sharedBytes), $"cuFuncSetAttribute of {_name} in {_file}: {sharedBytes} bytes of shared memory");
        function.SharedBytes = sharedBytes;
    }

    private string Describe(CudaDevice device, Grid grid, int block, int sharedBytes, ReadOnlySpan<KernelArgument> arguments)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"{_name} in {_file} on {device}, {grid} blocks of {block} threads, {sharedBytes} bytes of shared memory, arguments (");
        for (int i = 0; i < arguments.Length; i++) text.Append(i == 0 ? "" : ", ").Append(arguments[i].ToString());
        return text.Append(')').ToString();
    }

    private sealed class Function(nint handle, int[]? parameterSizes)
    {
        public nint Handle { get; } = handle;

        public int[]? ParameterSizes { get; } = parameterSizes;

        /// <summary>The dynamic shared memory that launches may have so far.</summary>
        public int SharedBytes { get; set; }
    }
}
