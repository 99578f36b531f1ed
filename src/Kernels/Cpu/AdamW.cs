using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// One step of AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019) in the order of operations of
/// PyTorch's torch.optim.AdamW, with optional AMSGrad (Reddi et al., 2018).
/// </summary>
public static unsafe class AdamW
{
    private const int ElementsPerPiece = 16384;
    private const int Widest = 16;

    /// <summary>
    /// With g = gradient · gradientScale: parameter ·= 1 − learningRate · weightDecay; first = β₁·first + (1 − β₁)·g; second =
    /// β₂·second + (1 − β₂)·g²; parameter −= learningRate / (1 − β₁ᵗ) · first / (√v / √(1 − β₂ᵗ) + eps), where v is second,
    /// or with AMSGrad its largest value so far.
    /// </summary>
    /// <param name="parameter">[n], changed.</param>
    /// <param name="gradient">[n].</param>
    /// <param name="first">[n], the running mean of the gradient, changed.</param>
    /// <param name="second">[n], the running mean of its square, changed.</param>
    /// <param name="largestSecond">[n], the largest second moment so far, changed; null without AMSGrad.</param>
    /// <param name="n">The number of elements.</param>
    /// <param name="learningRate">The learning rate.</param>
    /// <param name="beta1">β₁.</param>
    /// <param name="beta2">β₂.</param>
    /// <param name="eps">Added to the denominator.</param>
    /// <param name="weightDecay">The decoupled weight decay.</param>
    /// <param name="step">t, counted from 1.</param>
    /// <param name="gradientScale">Multiplies the gradient.</param>
    public static void Step(
        float* parameter, float* gradient, float* first, float* second, float* largestSecond, long n,
        double learningRate, double beta1, double beta2, double eps, double weightDecay, long step, double gradientScale)
    {
        Factors factors = new()
        {
            GradientScale = (float)gradientScale,
            Decay = (float)(1 - learningRate * weightDecay),
            Beta1 = (float)beta1,
            OneMinusBeta1 = (float)(1 - beta1),
            Beta2 = (float)beta2,
            OneMinusBeta2 = (float)(1 - beta2),
            StepSize = (float)(learningRate / (1 - Math.Pow(beta1, step))),
            SecondCorrection = (float)Math.Sqrt(1 - Math.Pow(beta2, step)),
            Epsilon = (float)eps,
        };
        Arrays arrays = new() { Parameter = parameter, Gradient = gradient, First = first, Second = second, LargestSecond = largestSecond, Count = n };
        SimdLoop.For(SimdLoop.Pieces(n, ElementsPerPiece), new Body { Arrays = arrays, Factors = factors });
    }

    /// <summary>Updates V.Width elements. Products and sums are rounded separately, so that every vector width gives the same bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Update<V>(float* parameter, float* gradient, float* first, float* second, float* largestSecond, in Factors f)
        where V : struct, ISimd<V>
    {
        V g = V.Load(gradient) * V.Broadcast(f.GradientScale);
        V m = V.Load(first) * V.Broadcast(f.Beta1) + g * V.Broadcast(f.OneMinusBeta1);
        V v = V.Load(second) * V.Broadcast(f.Beta2) + g * g * V.Broadcast(f.OneMinusBeta2);
        V.Store(m, first);
        V.Store(v, second);
        if (largestSecond != null)
        {
            v = V.Max(V.Load(largestSecond), v);
            V.Store(v, largestSecond);
        }
        V denominator = V.Sqrt(v) / V.Broadcast(f.SecondCorrection) + V.Broadcast(f.Epsilon);
        V.Store(V.Load(parameter) * V.Broadcast(f.Decay) - V.Broadcast(f.StepSize) * m / denominator, parameter);
    }

    private struct Arrays
    {
        public float* Parameter;
        public float* Gradient;
        public float* First;
        public float* Second;
        public float* LargestSecond;
        public long Count;
    }

    private struct Factors
    {
        public float GradientScale;
        public float Decay;
        public float Beta1;
        public float OneMinusBeta1;
        public float Beta2;
        public float OneMinusBeta2;
        public float StepSize;
        public float SecondCorrection;
        public float Epsilon;
    }

    private struct Body : ISimdLoopBody
    {
        public Arrays Arrays;
        public Factors Factors;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(Body), (Arrays.LargestSecond == null ? 7.0 : 9.0) * Arrays.Count);

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            long start = (long)index * ElementsPerPiece;
            int count = (int)Math.Min(ElementsPerPiece, Arrays.Count - start);
            float* largest = Arrays.LargestSecond == null ? null : Arrays.LargestSecond + start;
            Update<V>(Arrays.Parameter + start, Arrays.Gradient + start, Arrays.First + start, Arrays.Second + start, largest, count, Factors);
        }

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Update<V>(float* parameter, float* gradient, float* first, float* second, float* largest, int count, Factors factors)
            where V : struct, ISimd<V>
        {
            int i = 0;
            for (; i + V.Width <= count; i += V.Width)
                AdamW.Update<V>(parameter + i, gradient + i, first + i, second + i, largest == null ? null : largest + i, factors);
            if (i == count) return;

            // Fewer elements than a vector has: the same arithmetic on a copy.
            float* copy = stackalloc float[5 * Widest];
            new Span<float>(copy, 5 * Widest).Clear();
            float** sources = stackalloc float*[] { parameter, gradient, first, second, largest };
            int arrays = largest == null ? 4 : 5, rest = count - i;
            for (int a = 0; a < arrays; a++) new Span<float>(sources[a] + i, rest).CopyTo(new Span<float>(copy + a * Widest, rest));
            AdamW.Update<V>(copy, copy + Widest, copy + 2 * Widest, copy + 3 * Widest, largest == null ? null : copy + 4 * Widest, factors);
            for (int a = 0; a < arrays; a++) new Span<float>(copy + a * Widest, rest).CopyTo(new Span<float>(sources[a] + i, rest));
        }
    }
}
