using System.Runtime.InteropServices;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>
/// The GPU that tests run on: with LAVT_TEST_GPU=1 a real one, otherwise the emulator, in which every order of threads can
/// be asked for.
/// </summary>
internal static unsafe class Gpu
{
    /// <summary>How many of the emulated GPUs are connected.</summary>
    public const int Connected = 4;

    private const int Emulated = 8;

    private static readonly Lazy<CudaDevice> s_device = new(Open);
    private static delegate* unmanaged<int, void> s_setOrder;
    private static delegate* unmanaged<int, void> s_setEager;
    private static delegate* unmanaged<int, nint, void> s_setMemory;

    /// <summary>The orders in which the emulator runs the threads of a block: forward, backward, shuffled, warp by warp from either end.</summary>
    public static IEnumerable<int> Orders => IsEmulated ? Enumerable.Range(0, 5) : [0];

    /// <summary>Whether the emulator is used.</summary>
    public static bool IsEmulated { get; } = Environment.GetEnvironmentVariable("LAVT_TEST_GPU") != "1";

    /// <summary>The first device; the test is skipped where there is none.</summary>
    public static CudaDevice Device
    {
        get
        {
            if (IsEmulated && EmulatorBuild.Missing is { } why) Assert.Skip(why);
            return s_device.Value;
        }
    }

    /// <summary>
    /// Several GPUs; the test is skipped where there are not as many. Of the emulated ones the first <see cref="Connected"/> reach each
    /// other, the others exchange numbers through the host.
    /// </summary>
    public static CudaDevice[] Devices(params int[] indices)
    {
        _ = Device;
        if (indices.Max() >= CudaDevice.Count) Assert.Skip($"needs {indices.Max() + 1} GPUs");
        return [.. indices.Select(CudaDevice.Open)];
    }

    /// <summary>Whether emulated streams that are made from now on run their work at once, instead of as late as they may.</summary>
    public static void SetEager(bool eager)
    {
        _ = Device;
        if (IsEmulated) s_setEager(eager ? 1 : 0);
    }

    /// <summary>Sets the order in which the threads of a block run from now on.</summary>
    public static void SetOrder(int order)
    {
        _ = Device;
        if (IsEmulated) s_setOrder(order);
    }

    /// <summary>Sets the memory of an emulated GPU.</summary>
    public static void SetMemory(CudaDevice device, long bytes) => s_setMemory(device.Device.Index, (nint)bytes);

    /// <summary>A tensor on the device with the values given.</summary>
    public static Tensor From<T>(T[] values, Shape shape)
        where T : unmanaged => Tensor.From(values, shape).CopyTo(Device.Device);

    private static CudaDevice Open()
    {
        if (!IsEmulated) return CudaDevice.Open(0);
        string folder = EmulatorBuild.Run(), library = Path.Combine(folder, "libcuda_emulator.so");
        Environment.SetEnvironmentVariable("LAVT_CUDA_LIB", library);
        Environment.SetEnvironmentVariable("LAVT_NVRTC_LIB", library);
        Environment.SetEnvironmentVariable("LAVT_NCCL_LIB", library);
        Environment.SetEnvironmentVariable("LAVT_KERNEL_CACHE", Path.Combine(folder, "kernels"));
        nint handle = NativeLibrary.Load(library);
        s_setMemory = (delegate* unmanaged<int, nint, void>)NativeLibrary.GetExport(handle, "emulatorSetMemory");
        s_setOrder = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(handle, "emulatorSetOrder");
        s_setEager = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(handle, "emulatorSetEager");
        ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(handle, "emulatorSetDevices"))(Emulated);
        ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(handle, "emulatorSetPeers"))(Connected);
        return CudaDevice.Open(0);
    }
}
