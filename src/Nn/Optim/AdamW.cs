using Lavt.Autograd;
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

    /// <summary>The moments of a parameter; null before its first step.</summary>
    public Moments? MomentsOf(Tensor parameter) => _moments.GetValueOrDefault(parameter);

    /// <summary>Sets the moments of a parameter, from a checkpoint.</summary>
    public void SetMoments(Tensor parameter, Moments moments)
    {
        moments.First.Persist();
        moments.Second.Persist();
        moments.LargestSecond?.Persist();
        _moments[parameter] = moments;
    }

    /// <summary>The norm of all gradients together; not finite if one of them is not.</summary>
    public double GradientNorm()
    {
        double sum = 0;
        foreach ((_, Tensor parameter) in Parameters)
            if (parameter.Gradient() is { } gradient)
                sum += Kernels.Cpu.Elementwise.SumOfSquares(gradient.Pointer<float>(), gradient.Count);
        return Math.Sqrt(sum);
    }

    /// <summary>Changes every parameter that has a gradient.</summary>
    /// <param name="gradientScale">Multiplies the gradients: 1 / loss scale, or a clipping factor.</param>
    public void Step(double gradientScale = 1)
    {
        foreach (ParameterGroup group in Groups)
            foreach ((_, Tensor parameter) in group.Parameters)
            {
                if (parameter.Gradient() is not { } gradient) continue;
                if (!_moments.TryGetValue(parameter, out Moments? moments))
                {
                    moments = new Moments(Tensor.Zeros(parameter.Shape), Tensor.Zeros(parameter.Shape), AmsGrad ? Tensor.Zeros(parameter.Shape) : null);
                    SetMoments(parameter, moments);
                }
                moments.Step++;
                Kernels.Cpu.AdamW.Step(
                    parameter.Pointer<float>(), Ops.Contiguous(gradient).Pointer<float>(), moments.First.Pointer<float>(), moments.Second.Pointer<float>(),
                    moments.LargestSecond is null ? null : moments.LargestSecond.Pointer<float>(), parameter.Count,
                    LearningRate, Beta1, Beta2, Epsilon, group.WeightDecay, moments.Step, gradientScale);
            }
    }

    /// <summary>What AdamW remembers of one parameter.</summary>
    /// <param name="First">Running mean of the gradient.</param>
    /// <param name="Second">Running mean of its square.</param>
    /// <param name="LargestSecond">The largest second moment so far, with AMSGrad.</param>
    public sealed record Moments(Tensor First, Tensor Second, Tensor? LargestSecond)
    {
        /// <summary>The number of steps made.</summary>
        public long Step { get; set; }
    }
}
