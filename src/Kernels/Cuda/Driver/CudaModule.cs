namespace Lavt.Kernels.Cuda.Driver;

/// <summary>Brings a source file onto a device.</summary>
internal static unsafe class CudaModule
{
    /// <summary>Compiles, or takes from the cache, and loads; the device's context is current.</summary>
    public static nint Load(CudaDevice device, string file, string[] options)
    {
        Compilation compilation = new(file, KernelSources.Read(file), KernelSources.Headers, device.Architecture, options);
        bool isCached = CubinCache.TryRead(compilation.Key, out byte[] cubin);
        if (!isCached) cubin = Compile(compilation);
        int result = Load(cubin, out nint module);
        if (result is CudaException.InvalidImage or CudaException.NoBinary && isCached)
        {
            // A file of the cache that the driver does not like is no reason to stop.
            result = Load(Compile(compilation), out module);
        }
        CudaException.Check(result, $"cuModuleLoadData of {file} ({device.Architecture}) on {device}");
        return module;
    }

    private static byte[] Compile(Compilation compilation)
    {
        byte[] cubin = compilation.Run();
        CubinCache.Write(compilation.Key, cubin);
        return cubin;
    }

    private static int Load(byte[] cubin, out nint module)
    {
        fixed (byte* image = cubin) return DriverApi.ModuleLoadData(out module, image);
    }
}
