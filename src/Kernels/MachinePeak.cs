using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lavt.Kernels.Cpu;

namespace Lavt.Kernels;

/// <summary>What the current workers can do at most on this machine, measured: the two lines of a roofline.</summary>
/// <param name="Flops">Floating-point operations per second of float32 multiply-adds in registers.</param>
/// <param name="Bytes">Bytes per second of a = b + s · c on arrays that no cache holds, each read or written byte counted once (McCalpin's STREAM triad).</param>
public readonly record struct MachinePeak(double Flops, double Bytes)
{
    private const int Repetitions = 5;
    private const int TriadFloats = 16 << 20;

    /// <summary>Measures both; takes about 0.2 s and, meanwhile, 192 MiB.</summary>
    public static unsafe MachinePeak Measure()
    {
        int pieces = 16 * Workers.Current.Count;
        double flops = Best(() => SimdLoop.For(pieces, default(MultiplyAddBody)));
        float* arrays = (float*)NativeMemory.Alloc(3 * (nuint)TriadFloats, sizeof(float));
        try
        {
            // Memory that was never written is one page of zeros, which a cache holds.
            new Span<float>(arrays, 3 * TriadFloats).Fill(1);
            TriadBody triad = new() { A = arrays, B = arrays + TriadFloats, C = arrays + (2 * TriadFloats) };
            double bytes = Best(() => SimdLoop.For(SimdLoop.Pieces(TriadFloats, TriadBody.FloatsPerPiece), triad));
            double operations = (double)pieces * MultiplyAddBody.Steps * MultiplyAddBody.Chains * 2 * (CpuInfo.VectorBits / 32);
            return new MachinePeak(operations / flops, 3.0 * TriadFloats * sizeof(float) / bytes);
        }
        finally
        {
            NativeMemory.Free(arrays);
        }
    }

    /// <summary>The larger of the shares of the two peaks that a kernel reaches.</summary>
    public double ShareOf(KernelTime kernel) => Math.Max(kernel.Flops / Flops, kernel.Bytes / Bytes) / kernel.Seconds;

    private static double Best(Action loop)
    {
        double best = double.MaxValue;
        for (int i = 0; i <= Repetitions; i++)
        {
            long started = Stopwatch.GetTimestamp();
            loop();
            if (i > 0) best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }
        return best;
    }

    /// <summary>Independent chains of multiply-adds, enough to hide the latency of two units.</summary>
    private struct MultiplyAddBody : ISimdLoopBody
    {
        public const int Steps = 200_000;
        public const int Chains = 12;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            V factor = V.Broadcast(0.999f), addend = V.Broadcast(index);
            V a = addend, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
            for (int step = 0; step < Steps; step++)
            {
                (a, b, c) = (V.MultiplyAdd(a, factor, addend), V.MultiplyAdd(b, factor, addend), V.MultiplyAdd(c, factor, addend));
                (d, e, f) = (V.MultiplyAdd(d, factor, addend), V.MultiplyAdd(e, factor, addend), V.MultiplyAdd(f, factor, addend));
                (g, h, i) = (V.MultiplyAdd(g, factor, addend), V.MultiplyAdd(h, factor, addend), V.MultiplyAdd(i, factor, addend));
                (j, k, l) = (V.MultiplyAdd(j, factor, addend), V.MultiplyAdd(k, factor, addend), V.MultiplyAdd(l, factor, addend));
            }
            // The sum must be wanted by someone, or none of it is computed.
            Keep(((a + b) + (c + d)) + ((e + f) + (g + h)) + ((i + j) + (k + l)));
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static void Keep<V>(V value) => _ = value;
    }

    private unsafe struct TriadBody : ISimdLoopBody
    {
        public const int FloatsPerPiece = 16384;

        public float* A, B, C;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            float* a = A, b = B, c = C;
            V factor = V.Broadcast(3);
            long first = (long)index * FloatsPerPiece;
            for (long i = first; i < first + FloatsPerPiece; i += V.Width) V.Store(V.MultiplyAdd(factor, V.Load(c + i), V.Load(b + i)), a + i);
        }
    }
}
