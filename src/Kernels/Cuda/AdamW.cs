using System.Runtime.CompilerServices;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>
/// A step of AdamW on many parameters of one GPU with few launches, bit for bit that of <see cref="Cpu.AdamW"/>; and the norm of
/// their gradients. Parameters are added one by one and changed, at the latest, by <see cref="Flush"/>.
/// </summary>
public sealed unsafe class AdamW
{
    private const int Threads = 256, MostParts = 48, PrepareThreads = 64, MostBlocks = 256, ElementsPerThread = 8;
    private const int FactorBytes = 4 * sizeof(float) + sizeof(int);
    private const string File = "AdamW.cu";

    private static readonly CudaKernel s_setRates = new(File, "adamw_set_rates");
    private static readonly CudaKernel s_prepare = new(File, "adamw_prepare");
    private static readonly CudaKernel s_step = new(File, "adamw_step");
    private static readonly CudaKernel s_squares = new(File, "squares_of_parts");
    private static readonly CudaKernel s_addToTotal = new(File, "add_to_total");

    private readonly CudaStream _stream;
    private readonly Constants _constants;
    private readonly double* _rates, _lossScale;
    private Parts _parts;
    private int _count;

    /// <summary>The number of doubles that <see cref="SetRates"/> sets.</summary>
    public const int RateCount = 2;

    /// <summary>A step with nothing added yet.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="beta1">β₁.</param>
    /// <param name="beta2">β₂.</param>
    /// <param name="eps">Added to the denominator.</param>
    /// <param name="rates">What <see cref="SetRates"/> has set.</param>
    /// <param name="lossScale">The state of a <see cref="LossScaler"/>: gradients are divided by its scale, and a step whose gradients are not finite changes nothing. Null without.</param>
    public AdamW(CudaStream stream, double beta1, double beta2, double eps, double* rates, double* lossScale)
    {
        _stream = stream;
        _rates = rates;
        _lossScale = lossScale;
        _constants = new Constants { Beta1 = beta1, Beta2 = beta2, Epsilon = (float)eps };
    }

    /// <summary>Sets what changes from step to step, in memory of the GPU.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="learningRate">The learning rate.</param>
    /// <param name="gradientScale">Multiplies the gradients.</param>
    /// <param name="rates"><see cref="RateCount"/> numbers.</param>
    public static void SetRates(CudaStream stream, double learningRate, double gradientScale, double* rates) =>
        s_setRates.Launch(stream, 1, 32, 0, KernelArgument.ByValue(&learningRate), KernelArgument.ByValue(&gradientScale), rates);

    /// <summary>Adds a parameter; arguments as those of <see cref="Cpu.AdamW.Step"/>, but that the number of steps is counted here.</summary>
    public void Add(float* parameter, float* gradient, float* first, float* second, float* largestSecond, long n, double weightDecay, long* steps)
    {
        if (_count == MostParts) Flush();
        _parts[_count++] = new Part
        {
            Parameter = parameter,
            Gradient = gradient,
            First = first,
            Second = second,
            LargestSecond = largestSecond,
            Steps = steps,
            Count = n,
            WeightDecay = weightDecay,
        };
    }

    /// <summary>Changes the parameters that were added since the last call.</summary>
    public void Flush()
    {
        Constants constants = _constants;
        using CudaScratch factors = new(_stream, MostParts * FactorBytes);
        fixed (Parts* parts = &_parts)
        {
            s_prepare.Launch(_stream, _count == 0 ? 0 : 1, PrepareThreads, 0, KernelArgument.ByValue(parts), _count, KernelArgument.ByValue(&constants), _rates, _lossScale, factors.Address);
            s_step.Launch(_stream, Blocks(_parts, _count), Threads, 0, KernelArgument.ByValue(parts), KernelArgument.ByValue(&constants), factors.Address);
        }
        _count = 0;
    }

    /// <summary>The sum of the squares of many arrays.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="arrays">Arrays of float32 numbers on the stream's device and their lengths.</param>
    /// <param name="total">Receives the sum, on the device.</param>
    public static void SumOfSquares(CudaStream stream, IReadOnlyList<(nint Address, long Count)> arrays, double* total)
    {
        using CudaScratch partials = new(stream, (long)MostParts * MostBlocks * sizeof(double));
        stream.Device.Memory.Clear((nint)total, sizeof(double));
        for (int first = 0; first < arrays.Count; first += MostParts)
        {
            Parts parts = default;
            int count = Math.Min(MostParts, arrays.Count - first);
            for (int i = 0; i < count; i++) parts[i] = new Part { Gradient = (float*)arrays[first + i].Address, Count = arrays[first + i].Count };
            Grid grid = Blocks(parts, count);
            s_squares.Launch(stream, grid, Threads, 0, KernelArgument.ByValue(&parts), partials.Address);
            s_addToTotal.Launch(stream, grid.X == 0 ? 0 : 1, Threads, 0, partials.Address, (int)grid.X * grid.Y, total);
        }
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
        public long* Steps;
        public long Count;
        public double WeightDecay;
    }

    [InlineArray(MostParts)]
    private struct Parts
    {
        private Part _first;
    }

    private struct Constants
    {
        public double Beta1, Beta2;
        public float Epsilon;
    }
}
