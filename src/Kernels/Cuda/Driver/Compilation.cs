using System.Globalization;
using System.Runtime.InteropServices;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>A compilation of CUDA C++ to the machine code of one architecture by NVRTC.</summary>
internal sealed unsafe class Compilation
{
    private readonly string _file;
    private readonly string _source;
    private readonly IReadOnlyDictionary<string, string> _headers;
    private readonly string[] _options;

    /// <summary>Prepares a compilation.</summary>
    /// <param name="file">The file's name, for messages.</param>
    /// <param name="source">Its text.</param>
    /// <param name="headers">What it may include, by name: NVRTC reads no files.</param>
    /// <param name="architecture">A real architecture such as sm_90a; the result runs on nothing else.</param>
    /// <param name="options">Further options.</param>
    public Compilation(string file, string source, IReadOnlyDictionary<string, string> headers, string architecture, string[] options)
    {
        (_file, _source, _headers) = (file, source, headers);
        _options = [$"--gpu-architecture={architecture}", "--std=c++17", "-lineinfo", .. options];
        Key = MakeKey();
    }

    /// <summary>A name that is the same for the same result: of source, headers, options, architecture and compiler.</summary>
    public string Key { get; }

    /// <summary>Compiles.</summary>
    /// <returns>The cubin.</returns>
    /// <exception cref="CudaException">The source is wrong; the message holds the compiler's.</exception>
    public byte[] Run()
    {
        using NativeStrings strings = new();
        Check(NvrtcApi.CreateProgram(out nint program, strings.Add(_source), strings.Add(_file), _headers.Count, strings.Add(_headers.Values), strings.Add(_headers.Keys)), "nvrtcCreateProgram");
        try
        {
            int result = NvrtcApi.CompileProgram(program, _options.Length, strings.Add(_options));
            if (result != 0) throw new CudaException($"{_file} does not compile with {string.Join(' ', _options)} ({Text(result)}):\n{Log(program)}");
            Check(NvrtcApi.GetCubinSize(program, out nuint bytes), "nvrtcGetCUBINSize");
            byte[] cubin = new byte[bytes];
            fixed (byte* to = cubin) Check(NvrtcApi.GetCubin(program, to), "nvrtcGetCUBIN");
            return cubin;
        }
        finally
        {
            NvrtcApi.DestroyProgram(ref program);
        }
    }

    private static string Log(nint program)
    {
        Check(NvrtcApi.GetProgramLogSize(program, out nuint bytes), "nvrtcGetProgramLogSize");
        byte[] log = new byte[bytes + 1];
        fixed (byte* to = log)
        {
            Check(NvrtcApi.GetProgramLog(program, to), "nvrtcGetProgramLog");
            return Marshal.PtrToStringUTF8((nint)to)!;
        }
    }

    private static void Check(int result, string call)
    {
        if (result != 0) throw new CudaException($"{call}: {Text(result)}");
    }

    private static string Text(int result) => Marshal.PtrToStringUTF8((nint)NvrtcApi.GetErrorString(result)) ?? "unknown error";

    private string MakeKey()
    {
        string compiler = CudaLibraries.CompilerFile;
        ContentHash hash = new();
        hash.Add(CudaLibraries.CompilerVersion);
        // The version lacks the last number, in which toolkits differ.
        hash.Add(compiler);
        if (File.Exists(compiler)) hash.Add(string.Create(CultureInfo.InvariantCulture, $"{new FileInfo(compiler).Length}"));
        foreach (string option in _options) hash.Add(option);
        hash.Add(_file);
        hash.Add(_source);
        foreach ((string name, string text) in _headers.OrderBy(header => header.Key, StringComparer.Ordinal))
        {
            hash.Add(name);
            hash.Add(text);
        }
        return $"{Path.GetFileNameWithoutExtension(_file)}-{hash}";
    }

    /// <summary>Strings as the C interface takes them, until disposed.</summary>
    private sealed class NativeStrings : IDisposable
    {
        private readonly List<nint> _blocks = [];

        public byte* Add(string text)
        {
            nint block = Marshal.StringToCoTaskMemUTF8(text);
            _blocks.Add(block);
            return (byte*)block;
        }

        public byte** Add(IEnumerable<string> texts)
        {
            nint[] pointers = [.. texts.Select(text => (nint)Add(text))];
            nint block = Marshal.AllocCoTaskMem((pointers.Length + 1) * sizeof(nint));
            _blocks.Add(block);
            pointers.CopyTo(new Span<nint>((void*)block, pointers.Length));
            return (byte**)block;
        }

        public void Dispose()
        {
            foreach (nint block in _blocks) Marshal.FreeCoTaskMem(block);
        }
    }
}
