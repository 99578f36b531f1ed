using BenchmarkDotNet.Attributes;
using Lavt.Kernels.Cuda;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Bench;

/// <summary>Sums of 64 MiB over the GPUs of this machine, beside a copy of as much from one to its neighbour. A ring moves 2·(N − 1)/N of that over each connection.</summary>
public class GpuSumBench
{
    private const int Count = 1 << 24;
    private CudaDevice[] _gpus = null!;
    private Tensor[] _arrays = null!;
    private PeerRing _ring = null!;

    /// <summary>How many GPUs there are; 0 also without a driver.</summary>
    public static int Available { get; } = FindGpus();

    [Params(2, 4, 8)]
    public int Devices { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _gpus = [.. Enumerable.Range(0, Devices).Select(CudaDevice.Open)];
        _arrays = [.. _gpus.Select(gpu => Tensor.Zeros([Count], DType.F32, gpu.Device).Persist())];
        _ring = new PeerRing(_gpus);
    }

    [GlobalCleanup]
    public void Cleanup() => _ring.Dispose();

    [Benchmark(Baseline = true)]
    public void Copy()
    {
        _arrays[1].CopyFrom(_arrays[0]);
        _gpus[1].Synchronize();
    }

    [Benchmark]
    public void Sum()
    {
        CudaEvent[] ready = [.. _gpus.Select(Mark)];
        CudaEvent[] done = _ring.Sum([.. _arrays.Select(array => array.Storage.Data)], Count, DType.F32, ready);
        foreach (CudaEvent mark in done) mark.Synchronize();
        foreach (CudaEvent mark in ready.Concat(done)) mark.Dispose();
    }

    private static int FindGpus()
    {
        try
        {
            return CudaDevice.Count;
        }
        catch (Exception missing) when (missing is DllNotFoundException or CudaException or EntryPointNotFoundException)
        {
            return 0;
        }
    }

    private static CudaEvent Mark(CudaDevice gpu)
    {
        var mark = new CudaEvent(gpu);
        mark.Record(gpu.Stream);
        return mark;
    }
}
