using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>Window attention at the four stages of Swin-B on a picture of 480 x 480, windows of 12.</summary>
public unsafe class WindowAttentionBench
{
    private const int HeadDim = 32;
    private const int Window = 12;

    private float* _qkv;
    private float* _qkvBias;
    private float* _table;
    private float* _output;
    private float* _dQkv;
    private float* _dQkvBias;
    private float* _dTable;

    /// <summary>Side of the map in tokens and number of heads.</summary>
    [Params("120 x 4", "60 x 8", "30 x 16", "15 x 32")]
    public string Stage { get; set; } = "";

    [Params(0, 6)]
    public int Shift { get; set; }

    private int Side => int.Parse(Stage.Split(" x ")[0]);

    private int Heads => int.Parse(Stage.Split(" x ")[1]);

    [GlobalSetup]
    public void Setup()
    {
        int tokens = Side * Side, channels = Heads * HeadDim, table = (2 * Window - 1) * (2 * Window - 1) * Heads;
        _qkv = Random(tokens * 3 * channels);
        _qkvBias = Random(3 * channels);
        _table = Random(table);
        _output = Random(tokens * channels);
        _dQkv = Random(tokens * 3 * channels);
        _dQkvBias = Random(3 * channels);
        _dTable = Random(table);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (nint block in new[] { (nint)_qkv, (nint)_qkvBias, (nint)_table, (nint)_output, (nint)_dQkv, (nint)_dQkvBias, (nint)_dTable })
            NativeMemory.AlignedFree((void*)block);
    }

    [Benchmark]
    public void Forward() => WindowAttention.Forward(_qkv, _qkvBias, _table, _output, 1, Side, Side, Heads, HeadDim, Window, Shift);

    [Benchmark]
    public void Backward() =>
        WindowAttention.Backward(_qkv, _qkvBias, _table, _output, _dQkv, _dQkvBias, _dTable, 1, Side, Side, Heads, HeadDim, Window, Shift);

    private static float* Random(int count)
    {
        float* values = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
        Random random = new(count);
        for (int i = 0; i < count; i++) values[i] = random.NextSingle() * 2 - 1;
        return values;
    }
}
