using System.Globalization;
using System.Runtime.InteropServices;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// Finds and opens the libraries that CUDA needs at run time: the driver (libcuda, which comes with the GPU's driver), NVRTC
/// (libnvrtc, which comes with the CUDA toolkit or a Python package) and, where GPUs of several processes work together, NCCL
/// (libnccl). Nothing is opened before it is needed.
/// </summary>
public static class CudaLibraries
{
    /// <summary>The name under which the driver is imported.</summary>
    internal const string Driver = "cuda";

    /// <summary>The name under which NVRTC is imported.</summary>
    internal const string Compiler = "nvrtc";

    /// <summary>The name under which NCCL is imported.</summary>
    internal const string Collectives = "nccl";

    private static readonly Lock s_gate = new();
    private static readonly Dictionary<string, (nint Handle, string File)> s_opened = [];
    private static bool s_isRegistered;

    /// <summary>The file of the driver library, opened if it is not yet.</summary>
    /// <exception cref="DllNotFoundException">There is none; the message says where it was looked for.</exception>
    public static string DriverFile => Open(Driver).File;

    /// <summary>The file of NVRTC, opened if it is not yet.</summary>
    /// <exception cref="DllNotFoundException">There is none; the message says where it was looked for.</exception>
    public static string CompilerFile => Open(Compiler).File;

    /// <summary>The version of NVRTC, such as 13.0.</summary>
    /// <exception cref="DllNotFoundException">There is none; the message says where it was looked for.</exception>
    public static string CompilerVersion
    {
        get
        {
            _ = CompilerFile;
            int result = NvrtcApi.Version(out int major, out int minor);
            if (result != 0) throw new CudaException($"nvrtcVersion of {CompilerFile}: error {result}");
            return string.Create(CultureInfo.InvariantCulture, $"{major}.{minor}");
        }
    }

    /// <summary>The folder in which compiled kernels are kept.</summary>
    public static string KernelFolder => CubinCache.Folder;

    /// <summary>The file of NCCL, opened if it is not yet.</summary>
    /// <exception cref="DllNotFoundException">There is none; the message says where it was looked for.</exception>
    public static string CollectivesFile => Open(Collectives).File;

    /// <summary>Makes imports of <see cref="Driver"/>, <see cref="Compiler"/> and <see cref="Collectives"/> find the libraries; called before the first of them.</summary>
    internal static void Register()
    {
        lock (s_gate)
        {
            if (s_isRegistered) return;
            NativeLibrary.SetDllImportResolver(typeof(CudaLibraries).Assembly, (name, _, _) => name is Driver or Compiler or Collectives ? Open(name).Handle : 0);
            s_isRegistered = true;
        }
    }

    /// <summary>Whether the driver exports a function; newer ones are missing in older drivers.</summary>
    internal static bool DriverExports(string function) => NativeLibrary.TryGetExport(Open(Driver).Handle, function, out _);

    private static (nint Handle, string File) Open(string name)
    {
        lock (s_gate)
        {
            if (s_opened.TryGetValue(name, out (nint, string) known)) return known;
            List<string> tried = [];
            foreach (string file in FilesOf(name))
            {
                if (tried.Contains(file)) continue;
                tried.Add(file);
                if (file.Contains('/', StringComparison.Ordinal) && !File.Exists(file)) continue;
                if (name == Compiler) OpenBuiltinsBeside(file);
                if (NativeLibrary.TryLoad(file, out nint handle)) return s_opened[name] = (handle, file);
            }
            throw new DllNotFoundException(Missing(name) + string.Join(", ", tried));
        }
    }

    private static IEnumerable<string> FilesOf(string name) => name switch
    {
        Driver => LibrarySearch.DriverFiles(),
        Compiler => LibrarySearch.CompilerFiles(),
        _ => LibrarySearch.CollectivesFiles(),
    };

    private static string Missing(string name) => name switch
    {
        Driver => "no NVIDIA driver: libcuda.so.1 was not found. It comes with the GPU's driver, not with the CUDA toolkit; LAVT_CUDA_LIB may name the file. Looked for: ",
        Compiler => "no NVRTC: libnvrtc was not found. Install the CUDA toolkit or the Python package nvidia-cuda-nvrtc, or set CUDA_HOME; LAVT_NVRTC_LIB may name the file. Looked for: ",
        _ => "no NCCL: libnccl.so.2 was not found, and GPUs of several processes need it. Install libnccl2 or the Python package nvidia-nccl on every host, or use the GPUs of one host in one process (--gpus); LAVT_NCCL_LIB may name the file. Looked for: ",
    };

    /// <summary>
    /// NVRTC opens libnvrtc-builtins by its bare name while it compiles, and some of its Python packages cannot find the one
    /// that lies beside it; once it is open, they do.
    /// </summary>
    private static void OpenBuiltinsBeside(string file)
    {
        if (Path.GetDirectoryName(file) is not { Length: > 0 } folder) return;
        foreach (string builtins in Directory.EnumerateFiles(folder, "libnvrtc-builtins.so.*"))
            if (!builtins.Contains(".alt.", StringComparison.Ordinal)) NativeLibrary.TryLoad(builtins, out _);
    }
}
