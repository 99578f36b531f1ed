using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Bench;

/// <summary>The kernels around the layers of a training step, on pictures of 480x480: losses, optimizer, dropout, embedding, patches.</summary>
public unsafe class TrainingKernelBenchmarks
{
    private const int Batch = 2;
    private const int Size = 480;
    private const int Pixels = Size * Size;
    private const int Parameters = 4 << 20;
    private const int Words = 32 * 20;
    private const int Width = 768;

    private float* _logits;
    private float* _gradient;
    private byte* _target;
    private long* _ids;
    private readonly float*[] _optimizer = new float*[4];

    [GlobalSetup]
    public void Setup()
    {
        Random random = new(1);
        _logits = Filled(random, 3L * Batch * Pixels);
        _gradient = Filled(random, 3L * Batch * Pixels);
        _target = (byte*)NativeMemory.AllocZeroed(Batch * Pixels);
        for (int i = 0; i < Batch * Pixels; i++) _target[i] = (byte)(i % Size is > 100 and < 250 && i / Size % Size is > 200 and < 400 ? 1 : 0);
        for (int i = 0; i < _optimizer.Length; i++) _optimizer[i] = Filled(random, Parameters);
        _ids = (long*)NativeMemory.Alloc(Words * sizeof(long));
        for (int i = 0; i < Words; i++) _ids[i] = random.Next(Parameters / Width);
    }

    [Benchmark]
    public double CrossEntropy()
    {
        CrossEntropyLoss.Run(_logits, _target, Batch, Pixels, out double loss, _gradient);
        return loss;
    }

    [Benchmark]
    public double Dice()
    {
        MultiClassDiceLoss.Run(_logits, _target, Batch, Pixels, out double loss, _gradient);
        return loss;
    }

    [Benchmark]
    public double DiceFocal()
    {
        DiceFocalLoss.Run(_logits, _target, Batch, Pixels, 3, 1, out double loss, _gradient);
        return loss;
    }

    [Benchmark]
    public double DiceBoundary()
    {
        DiceBoundaryLoss.Run(_logits, _target, Batch, Size, Size, 0.05, 1, out double loss, _gradient);
        return loss;
    }

    [Benchmark]
    public void AdamWStep() =>
        AdamW.Step(_optimizer[0], _optimizer[1], _optimizer[2], _optimizer[3], null, Parameters, 5e-5, 0.9, 0.999, 1e-8, 0.01, 1, 1);

    /// <summary>What AdamW cannot beat: the same bytes read and written.</summary>
    [Benchmark]
    public void AdamWBytesCopied()
    {
        Buffer.MemoryCopy(_optimizer[0], _optimizer[1], Parameters * 4L, Parameters * 4L);
        Buffer.MemoryCopy(_optimizer[1], _optimizer[2], Parameters * 4L, Parameters * 4L);
        Buffer.MemoryCopy(_optimizer[2], _optimizer[3], Parameters * 4L, Parameters * 4L);
    }

    [Benchmark]
    public void DropoutOfWords() => Dropout.Run(_logits, _gradient, Words * Width, 0.1f, 1, 2);

    /// <summary>The same numbers by the definition.</summary>
    [Benchmark]
    public void DropoutByDefinition()
    {
        for (int i = 0; i < Words * Width; i++) _gradient[i] = Philox.Uniform(1, 2, (ulong)i) >= 0.1f ? _logits[i] * (1 / 0.9f) : 0;
    }

    [Benchmark]
    public void EmbeddingForwardAndBackward()
    {
        Embedding.Forward(_optimizer[0], _ids, _gradient, Words, Width);
        Embedding.Backward(_gradient, _ids, _optimizer[1], Words, Width, Parameters / Width);
    }

    [Benchmark]
    public void PatchEmbedding() => PatchGather.EmbedForward(_logits, Batch, 3, Size, Size, 4, _gradient);

    private static float* Filled(Random random, long count)
    {
        float* values = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
        for (long i = 0; i < count; i++) values[i] = random.NextSingle();
        return values;
    }
}
