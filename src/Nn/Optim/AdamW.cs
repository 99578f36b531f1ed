using Lavt.Autograd;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>Parameters that share a weight decay.</summary>
/// <param name="Name">What they are, for logs.</param>
/// <param name="Parameters">The parameters with their names.</param>
/// <param name="WeightDecay">The decoupled weight decay.</param>
public sealed record ParameterGroup(string Name, IReadOnlyList<(string Name, Tensor Value)> Parameters, double WeightDecay);

/// <summary>
/// AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019) as PyTorch computes it, with optional
/// AMSGrad (Reddi et al., 2018).
/// </summary>
public sealed unsafe class AdamW
{
    private readonly Dictionary<Tensor, Moments> _moments = [];
    private Tensor? _rates;
    private double _gradientScale = 1;

    /// <summary>An optimizer of the given groups.</summary>
    public AdamW(IReadOnlyList<ParameterGroup> groups, double learningRate, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, bool amsgrad = false)
    {
        Groups = groups;
        LearningRate = learningRate;
        (Beta1, Beta2, Epsilon, AmsGrad) = (beta1, beta2, eps, amsgrad);
    }

    /// <summary>The parameters by group.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>The learning rate of the next step.</summary>
    public double LearningRate { get; set; }

    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; }

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; }

    /// <summary>Added to the denominator.</summary>
    public double Epsilon { get; }

    /// <summary>Whether the largest second moment so far is used.</summary>
    public bool AmsGrad { get; }

    /// <summary>All parameters, group after group.</summary>
    public IEnumerable<(string Name, Tensor Value)> Parameters => Groups.SelectMany(g => g.Parameters);

    /// <summary>The parameters that <see cref="Step"/> changes, where devices share the work; null: all.</summary>
    public IReadOnlySet<Tensor>? Share { get; set; }

    /// <summary>The moments of a parameter; null before its first step.</summary>
    public Moments? MomentsOf(Tensor parameter) => _moments.GetValueOrDefault(parameter);

    /// <summary>The moments that a parameter has before its first step: zeros.</summary>
    public Moments NewMoments(Tensor parameter)
    {
        Tensor zeros() => Tensor.Zeros(parameter.Shape, parameter.DType, parameter.Device);
        return new Moments(zeros(), zeros(), AmsGrad ? zeros() : null);
    }

    /// <summary>Sets the moments of a parameter, from a checkpoint.</summary>
    public void SetMoments(Tensor parameter, Moments moments)
    {
        moments.First.Persist();
        moments.Second.Persist();
        moments.LargestSecond?.Persist();
        moments.Steps.Persist();
        _moments[parameter] = moments;
    }

    /// <summary>Forgets the moments of a parameter and gives their memory back.</summary>
    public void DropMoments(Tensor parameter)
    {
        if (!_moments.Remove(parameter, out Moments? moments)) return;
        moments.First.Discard();
        moments.Second.Discard();
        moments.LargestSecond?.Discard();
        moments.Steps.Discard();
    }

    /// <summary>The norm of all gradients together; not finite if one of them is not. Waits for a GPU.</summary>
    public double GradientNorm()
    {
        using MemoryScope scope = MemoryScope.Begin();
        double sum = 0;
        List<Tensor> onGpu = [];
        foreach ((_, Tensor parameter) in Parameters)
        {
            if (parameter.Gradient() is not { } gradient) continue;
            if (gradient.Device.IsCuda) onGpu.Add(Ops.Contiguous(gradient));
            else sum += gradient.DType == DType.F64
                    ? gradient.ToArray<double>().Sum(v => v * v)
                    : Kernels.Cpu.Elementwise.SumOfSquares(gradient.Pointer<float>(), gradient.Count);
        }
        if (onGpu.Count > 0)
        {
            Tensor total = Tensor.Empty([], DType.F64, onGpu[0].Device);
            Kernels.Cuda.AdamW.SumOfSquares(CudaStream.Of(total.Device), Addresses(onGpu), total.DevicePointer<double>());
            sum += total.Item<double>();
        }
        return Math.Sqrt(sum);
    }

    /// <summary>Changes every parameter that has a gradient, or those of <see cref="Share"/>.</summary>
    /// <param name="gradientScale">Multiplies the gradients, such as a clipping factor.</param>
    /// <param name="scaler">On a GPU: what scaled the loss. Its scale is taken out of the gradients and moved, and nothing changes where a gradient of any parameter is not finite.</param>
    public void Step(double gradientScale = 1, LossScaler? scaler = null)
    {
        Prepare(gradientScale);
        StepPrepared(scaler);
    }

    /// <summary>Brings what changes from step to step to the GPU of the parameters: the learning rate and what multiplies the gradients.</summary>
    internal void Prepare(double gradientScale)
    {
        _gradientScale = gradientScale;
        if (Parameters.FirstOrDefault(parameter => parameter.Value.Device.IsCuda).Value is not { } onGpu) return;
        _rates ??= Tensor.Empty([Kernels.Cuda.AdamW.RateCount], DType.F64, onGpu.Device).Persist();
        Kernels.Cuda.AdamW.SetRates(CudaStream.Of(onGpu.Device), LearningRate, gradientScale, _rates.DevicePointer<double>());
    }

    /// <summary>The step behind <see cref="Prepare"/>. On a GPU the same launches every time, so that it may be captured once the moments are there.</summary>
    internal void StepPrepared(LossScaler? scaler)
    {
        using MemoryScope scope = MemoryScope.Begin();
        scaler?.Measure(Addresses([.. Parameters.Select(parameter => parameter.Value.Gradient()).OfType<Tensor>().Select(Ops.Contiguous)]));
        Kernels.Cuda.AdamW? onGpu = null;
        foreach (ParameterGroup group in Groups)
            foreach ((_, Tensor parameter) in group.Parameters)
            {
                if (parameter.Gradient() is not { } gradient || Share?.Contains(parameter) == false) continue;
                if (!_moments.TryGetValue(parameter, out Moments? moments))
                    SetMoments(parameter, moments = NewMoments(parameter));
                if (parameter.Device.IsCuda)
                {
                    onGpu ??= new Kernels.Cuda.AdamW(CudaStream.Of(parameter.Device), Beta1, Beta2, Epsilon, _rates!.DevicePointer<double>(), scaler is null ? null : scaler.State);
                    onGpu.Add(
                        parameter.DevicePointer<float>(), Ops.Contiguous(gradient).DevicePointer<float>(), moments.First.DevicePointer<float>(), moments.Second.DevicePointer<float>(),
                        moments.LargestSecond.DevicePointer<float>(), parameter.Count, group.WeightDecay, moments.Steps.DevicePointer<long>());
                    continue;
                }
                long step = ++moments.Steps.Span<long>()[0];
                if (parameter.DType == DType.F64)
                {
                    StepInDouble(parameter, gradient, moments, group.WeightDecay, _gradientScale);
                    continue;
                }
                Kernels.Cpu.AdamW.Step(
                    parameter.Pointer<float>(), Ops.Contiguous(gradient).Pointer<float>(), moments.First.Pointer<float>(), moments.Second.Pointer<float>(),
                    moments.LargestSecond is null ? null : moments.LargestSecond.Pointer<float>(), parameter.Count,
                    LearningRate, Beta1, Beta2, Epsilon, group.WeightDecay, step, _gradientScale);
            }
        onGpu?.Flush();
        scaler?.Update();
    }

    private static (nint Address, long Count)[] Addresses(IEnumerable<Tensor> gradients) =>
        [.. gradients.Select(gradient => ((nint)gradient.DevicePointer<float>(), gradient.Count))];

    /// <summary>The step as the paper has it, for parameters in double.</summary>
    private void StepInDouble(Tensor parameter, Tensor gradient, Moments moments, double weightDecay, double gradientScale)
    {
        double[] g = gradient.ToArray<double>();
        Span<double> p = parameter.Span<double>(), first = moments.First.Span<double>(), second = moments.Second.Span<double>();
        double correction1 = 1 - Math.Pow(Beta1, moments.Step), correction2 = 1 - Math.Pow(Beta2, moments.Step);
        for (int i = 0; i < p.Length; i++)
        {
            double slope = g[i] * gradientScale;
            p[i] *= 1 - LearningRate * weightDecay;
            first[i] = Beta1 * first[i] + (1 - Beta1) * slope;
            second[i] = Beta2 * second[i] + (1 - Beta2) * slope * slope;
            double square = second[i];
            if (moments.LargestSecond is not null)
                square = moments.LargestSecond.Span<double>()[i] = Math.Max(moments.LargestSecond.Span<double>()[i], second[i]);
            p[i] -= LearningRate / correction1 * first[i] / (Math.Sqrt(square) / Math.Sqrt(correction2) + Epsilon);
        }
    }

    /// <summary>What AdamW remembers of one parameter.</summary>
    /// <param name="First">Running mean of the gradient.</param>
    /// <param name="Second">Running mean of its square.</param>
    /// <param name="LargestSecond">The largest second moment so far, with AMSGrad.</param>
    public sealed record Moments(Tensor First, Tensor Second, Tensor? LargestSecond)
    {
        /// <summary>The number of steps made, one I64 where the moments are: a GPU skips steps that the host does not know of.</summary>
        public Tensor Steps { get; } = Tensor.Zeros([], DType.I64, First.Device);

        /// <summary><see cref="Steps"/>; reading it waits for a GPU.</summary>
        public long Step
        {
            get => Steps.Item<long>();
            set => Steps.CopyFrom(Tensor.Scalar(value));
        }
    }
}
