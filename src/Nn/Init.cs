using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>Initial values of parameters.</summary>
public static class Init
{
    /// <summary>Fills with one value.</summary>
    public static void Constant(Tensor parameter, float value) => parameter.Span<float>().Fill(value);

    /// <summary>PyTorch's default for linear layers and convolutions: uniform within ± 1 / √fan-in (He et al. 2015 with a = √5).</summary>
    public static void LinearDefault(Tensor weight, Tensor? bias, RandomSource random)
    {
        float bound = 1f / MathF.Sqrt(weight.Count / weight.Shape[0]);
        random.FillUniform(weight.Span<float>(), -bound, bound);
        if (bias is not null) random.FillUniform(bias.Span<float>(), -bound, bound);
    }

    /// <summary>Normal values of the given deviation, cut off at ± 2.</summary>
    public static void TruncatedNormal(Tensor parameter, float deviation, RandomSource random) =>
        random.FillTruncatedNormal(parameter.Span<float>(), deviation);

    /// <summary>Normal values of the given deviation.</summary>
    public static void Normal(Tensor parameter, float deviation, RandomSource random) =>
        random.FillNormal(parameter.Span<float>(), deviation);
}
