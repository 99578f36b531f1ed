using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>Initial values of parameters.</summary>
public static class Init
{
    /// <summary>Fills with one value.</summary>
    public static void Constant(Tensor parameter, float value) => Fill(parameter, values => values.Fill(value));

    /// <summary>PyTorch's default for linear layers and convolutions: uniform within ± 1 / √fan-in (He et al. 2015 with a = √5).</summary>
    public static void LinearDefault(Tensor weight, Tensor? bias, RandomSource random)
    {
        float bound = 1f / MathF.Sqrt(weight.Count / weight.Shape[0]);
        Fill(weight, random, values => random.FillUniform(values, -bound, bound));
        if (bias is not null) Fill(bias, random, values => random.FillUniform(values, -bound, bound));
    }

    /// <summary>Normal values of the given deviation, cut off at ± 2.</summary>
    public static void TruncatedNormal(Tensor parameter, float deviation, RandomSource random) =>
        Fill(parameter, random, values => random.FillTruncatedNormal(values, deviation));

    /// <summary>Normal values of the given deviation.</summary>
    public static void Normal(Tensor parameter, float deviation, RandomSource random) =>
        Fill(parameter, random, values => random.FillNormal(values, deviation));

    private static void Fill(Tensor parameter, RandomSource random, SpanAction fill)
    {
        // Weights that come from a file take no memory before.
        if (random != RandomSource.None) Fill(parameter, fill);
    }

    private static void Fill(Tensor parameter, SpanAction fill)
    {
        if (parameter.DType == DType.F32)
        {
            fill(parameter.Span<float>());
            return;
        }
        float[] values = new float[parameter.Count];
        fill(values);
        parameter.CopyFrom(Tensor.From(values, parameter.Shape).To(parameter.DType));
    }

    private delegate void SpanAction(Span<float> values);
}
