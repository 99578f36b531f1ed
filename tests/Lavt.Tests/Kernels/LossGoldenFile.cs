using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Lavt.Tests.Kernels;

/// <summary>A golden .safetensors file with F32 tensors, and the deterministic inputs that belong to it.</summary>
internal sealed class LossGoldenFile
{
    private readonly byte[] _bytes;
    private readonly int _dataStart;
    private readonly JsonElement _header;

    public LossGoldenFile(string path)
    {
        _bytes = File.ReadAllBytes(Path.Combine(Folder(), path));
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(_bytes);
        _dataStart = 8 + length;
        _header = JsonDocument.Parse(_bytes.AsMemory(8, length)).RootElement;
    }

    public string this[string key] => _header.GetProperty("__metadata__").GetProperty(key).GetString()!;

    /// <summary>PyTorch's own relative error in float32 for a tensor.</summary>
    public double Error(string tensor) => JsonDocument.Parse(this["float32_relative_error"]).RootElement.GetProperty(tensor).GetDouble();

    public float[] Read(string tensor)
    {
        JsonElement offsets = _header.GetProperty(tensor).GetProperty("data_offsets");
        int start = offsets[0].GetInt32(), end = offsets[1].GetInt32();
        return MemoryMarshal.Cast<byte, float>(_bytes.AsSpan(_dataStart + start, end - start)).ToArray();
    }

    /// <summary>u(name, i) of the golden data's det.py, in [0, 1).</summary>
    public static double[] Fractions(string name, int count)
    {
        ulong state = 0xCBF29CE484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(name)) state = (state ^ b) * 0x100000001B3;
        double[] values = new double[count];
        for (int i = 0; i < count; i++)
        {
            state += 0x9E3779B97F4A7C15;
            ulong z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            values[i] = ((z ^ (z >> 31)) >> 40) / 16777216.0;
        }
        return values;
    }

    public static float[] Uniform(string name, int count, double low = -1, double high = 1) =>
        Array.ConvertAll(Fractions(name, count), u => (float)(low + (high - low) * u));

    private static string Folder()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Lavt.sln"))) folder = folder.Parent;
        return Path.Combine(folder!.FullName, "tests", "golden");
    }
}
