using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>Attention over 20 words: PWAM at the four stages of Swin-B on a picture of 480 x 480, and a layer of BERT.</summary>
public unsafe class WordAttentionBench
{
    private const int Words = 20;

    private float* _q;
    private float* _k;
    private float* _v;
    private float* _mask;
    private float* _output;
    private float* _dQ;
    private float* _dK;
    private float* _dV;

    /// <summary>Tokens, channels and heads.</summary>
    [Params("14400 x 128 x 1", "3600 x 256 x 1", "900 x 512 x 1", "225 x 1024 x 1", "20 x 768 x 12")]
    public string Sizes { get; set; } = "";

    private int Tokens => int.Parse(Sizes.Split(" x ")[0]);

    private int Channels => int.Parse(Sizes.Split(" x ")[1]);

    private int Heads => int.Parse(Sizes.Split(" x ")[2]);

    private float Scale => 1f / MathF.Sqrt(Channels);

    [GlobalSetup]
    public void Setup()
    {
        _q = Random(Tokens * Channels);
        _k = Random(Words * Channels);
        _v = Random(Words * Channels);
        _mask = Random(Words);
        for (int i = 0; i < Words; i++) _mask[i] = i < 12 ? 1f : 0f;
        _output = Random(Tokens * Channels);
        _dQ = Random(Tokens * Channels);
        _dK = Random(Words * Channels);
        _dV = Random(Words * Channels);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (nint block in new[] { (nint)_q, (nint)_k, (nint)_v, (nint)_mask, (nint)_output, (nint)_dQ, (nint)_dK, (nint)_dV })
            NativeMemory.AlignedFree((void*)block);
    }

    [Benchmark]
    public void Forward() => WordAttention.Forward(_q, _k, _v, _mask, _output, 1, Tokens, Words, Channels, Heads, Scale, 1e4f);

    [Benchmark]
    public void Backward() =>
        WordAttention.Backward(_q, _k, _v, _mask, _output, _dQ, _dK, _dV, 1, Tokens, Words, Channels, Heads, Scale, 1e4f);

    private static float* Random(int count)
    {
        float* values = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
        Random random = new(count);
        for (int i = 0; i < count; i++) values[i] = random.NextSingle() * 2 - 1;
        return values;
    }
}
