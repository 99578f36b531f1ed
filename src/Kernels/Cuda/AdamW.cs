using System.Runtime.CompilerServices;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>
/// A step of AdamW on many parameters of one GPU with few launches, bit for bit that of <see cref="Cpu.AdamW"/>; and the norm of
/// their gradients. Parameters are added one by one and changed, at the latest, by <see cref="Flush"/>.
/// </summary>
public sealed unsafe class AdamW
{
    private const int Threads = 256, MostParts = 48, MostBlocks = 256, ElementsPerThread = 8;
    private const string File = "AdamW.cu";

    private static readonly CudaKernel s_step = new(File, "adamw_step");
    private static readonly CudaKernel s_squares = new(File, "squares_of_parts");
    private static readonly CudaKernel s_addToTotal = new(File, "add_to_total");

    private readonly CudaStream _stream;
    private readonly (double Beta1, double Beta2) _betas;
    private readonly Factors _factors;
    private Parts _parts;
    private int _count;

    /// <summary>A step with nothing added yet.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="beta1">β₁.</param>
    /// <param name="beta2">β₂.</param>
    /// <param name="eps">Added to the denominator.</param>
    /// <param name="gradientScale">Multiplies the gradients.</param>
    public AdamW(CudaStream stream, double beta1, double beta2, double eps, double gradientScale)
    {
        _stream = stream;
        _betas = (beta1, beta2);
        _factors = new Factors
        {
            GradientScale = (float)gradientScale,
            Beta1 = (float)beta1,
            OneMinusBeta1 = (float)(1 - beta1),
            Beta2 = (float)beta2,
            OneMinusBeta2 = (float)(1 - beta2),
            Epsilon = (float)eps,
        };
    }

    /// <summary>Adds a parameter; arguments as those of <see cref="Cpu.AdamW.Step"/>.</summary>
    public void Add(float* parameter, float* gradient, float* first, float* second, float* largestSecond, long n, double learningRate, double weightDecay, long step)
    {
        if (_count == MostParts) Flush();
        _parts[_count++] = new Part
        {
            Parameter = parameter,
            Gradient = gradient,
            First = first,
            Second = second,
            LargestSecond = largestSecond,
            Count = n,
            Decay = (float)(1 - learningRate * weightDecay),
            StepSize = (float)(learningRate / (1 - Math.Pow(_betas.Beta1, step))),
            SecondCorrection = (float)Math.Sqrt(1 - Math.Pow(_betas.Beta2, step)),
        };
    }

    /// <summary>Changes the parameters that were added since the last call.</summary>
    public void Flush()
    {
        Factors factors = _factors;
        fixed (Parts* parts = &_parts)
            s_step.Launch(_stream, Blocks(_parts, _count), Threads, 0, KernelArgument.ByValue(parts), KernelArgument.ByValue(&factors));
        _count = 0;
    }

    /// <summary>The sum of the squares of many arrays; waits for the GPU.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="arrays">Arrays of float32 numbers on the stream's device and their lengths.</param>
    public static double SumOfSquares(CudaStream stream, IReadOnlyList<(nint Address, long Count)> arrays)
    {
        using CudaScratch scratch = new(stream, (1 + (long)MostParts * MostBlocks) * sizeof(double));
        double* total = (double*)scratch.Address;
        stream.Device.Memory.Clear((nint)total, sizeof(double));
        for (int first = 0; first < arrays.Count; first += MostParts)
        {
            Parts parts = default;
            int count = Math.Min(MostParts, arrays.Count - first);
            for (int i = 0; i < count; i++) parts[i] = new Part { Gradient = (float*)arrays[first + i].Address, Count = arrays[first + i].Count };
            Grid grid = Blocks(parts, count);
            s_squares.Launch(stream, grid, Threads, 0, KernelArgument.ByValue(&parts), total + 1);
            s_addToTotal.Launch(stream, grid.X == 0 ? 0 : 1, Threads, 0, total + 1, (int)grid.X * grid.Y, total);
        }
        double sum;
        stream.Device.Memory.CopyToHost((nint)(&sum), (nint)total, sizeof(double));
        return sum;
    }

    private static Grid Blocks(in Parts parts, int count)
    {
        long largest = 0;
        for (int i = 0; i < count; i++) largest = Math.Max(largest, parts[i].Count);
        return Grid.Over(Math.Min(largest, (long)MostBlocks * Threads * ElementsPerThread), Threads * ElementsPerThread) with { Y = count };
    }

    /// <summary>As AdamW.cu declares it.</summary>
    private struct Part
    {
        public float* Parameter, Gradient, First, Second, LargestSecond;
        public long Count;
        public float Decay, StepSize, SecondCorrection;
    }

    [InlineArray(MostParts)]
    private struct Parts
    {
        private Part _first;
    }

    private struct Factors
    {
        public float GradientScale, Beta1, OneMinusBeta1, Beta2, OneMinusBeta2, Epsilon;
    }
}
