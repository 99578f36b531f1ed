using BenchmarkDotNet.Attributes;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>The decoder's resampling into a concatenated map, and the last step to the size of the picture (480 × 480).</summary>
public unsafe class BilinearBench
{
    private const int Picture = 480;
    private FloatArray _x = null!, _skip = null!, _y = null!, _logits = null!, _full = null!;
    private byte[] _mask = null!;
    private int _from, _to, _up, _side;

    /// <summary>Input size, output size, channels of the resampled map, channels of the map it is joined with.</summary>
    [Params("15-30-1024-512", "30-60-512-256", "60-120-512-128")]
    public string Step { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        int[] step = Array.ConvertAll(Step.Split('-'), int.Parse);
        (_from, _to, _up, _side) = (step[0], step[1], step[2], step[3]);
        _x = new((long)_from * _from * _up);
        _skip = new((long)_to * _to * _side);
        _y = new((long)_to * _to * (_up + _side));
        _logits = new(2L * _to * _to);
        _full = new(2L * Picture * Picture);
        _mask = new byte[Picture * Picture];
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (FloatArray array in (FloatArray[])[_x, _skip, _y, _logits, _full]) array.Dispose();
    }

    [Benchmark]
    public void UpAndConcatenate()
    {
        Bilinear.Forward(_x, 1, _from, _from, _up, _y, _to, _to, _up + _side);
        Channels.Copy(_skip, _side, (float*)_y + _up, _up + _side, (long)_to * _to, _side);
    }

    [Benchmark]
    public void Backward() => Bilinear.Backward(_y, _up + _side, 1, _from, _from, _up, _x, _to, _to);

    [Benchmark]
    public void LogitsToPicture() => Bilinear.Forward(_logits, 1, _to, _to, 2, _full, Picture, Picture, 2);

    [Benchmark]
    public void LogitsToMask()
    {
        fixed (byte* mask = _mask) BilinearLogits.Mask(_logits, 1, _to, _to, mask, Picture, Picture);
    }
}
