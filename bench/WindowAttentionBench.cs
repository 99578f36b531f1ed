using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Lavt.Kernels;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>
/// Window attention on pictures of 480 x 480 at the stages of Swin-B, windows of 12, and on clips of 8 frames at those of Video
/// Swin-T, windows of 8 x 7 x 7.
/// </summary>
public unsafe class WindowAttentionBench
{
    private const int HeadDim = 32;

    private float* _qkv;
    private float* _qkvBias;
    private float* _table;
    private float* _output;
    private float* _dQkv;
    private float* _dQkvBias;
    private float* _dTable;

    /// <summary>Map and number of heads.</summary>
    [ParamsSource(nameof(Stages))]
    public AttentionStage Stage { get; set; } = null!;

    /// <summary>Whether the windows are shifted by half.</summary>
    [Params(false, true)]
    public bool Shifted { get; set; }

    public static IEnumerable<AttentionStage> Stages =>
    [
        new(Volume.Picture(120, 120), 4, Volume.Picture(12, 12)),
        new(Volume.Picture(60, 60), 8, Volume.Picture(12, 12)),
        new(Volume.Picture(30, 30), 16, Volume.Picture(12, 12)),
        new(Volume.Picture(15, 15), 32, Volume.Picture(12, 12)),
        new(new(8, 120, 120), 3, new(8, 7, 7)),
        new(new(8, 60, 60), 6, new(8, 7, 7)),
        new(new(8, 30, 30), 12, new(8, 7, 7)),
        new(new(8, 15, 15), 24, new(8, 7, 7)),
    ];

    /// <summary>Frames are no more than the window has: there is no shift along time.</summary>
    private Volume Shift => Shifted ? new(0, Stage.Window.Height / 2, Stage.Window.Width / 2) : default;

    [GlobalSetup]
    public void Setup()
    {
        Volume window = Stage.Window;
        int tokens = Stage.Map.Count, channels = Stage.Heads * HeadDim;
        int table = (2 * window.Frames - 1) * (2 * window.Height - 1) * (2 * window.Width - 1) * Stage.Heads;
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
    public void Forward() => WindowAttention.Forward(
        _qkv, _qkvBias, _table, _output, 1, Stage.Heads, HeadDim, Stage.Map, Stage.Window, Shift, Stage.Window);

    [Benchmark]
    public void Backward() => WindowAttention.Backward(
        _qkv, _qkvBias, _table, _output, _dQkv, _dQkvBias, _dTable, 1, Stage.Heads, HeadDim, Stage.Map, Stage.Window, Shift, Stage.Window);

    private static float* Random(int count)
    {
        float* values = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
        Random random = new(count);
        for (int i = 0; i < count; i++) values[i] = random.NextSingle() * 2 - 1;
        return values;
    }
}

/// <summary>The attention of one stage of a Swin transformer.</summary>
public sealed record AttentionStage(Volume Map, int Heads, Volume Window)
{
    public override string ToString() => $"{Map} x {Heads}";
}
