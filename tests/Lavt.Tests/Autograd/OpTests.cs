using Lavt.Autograd;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Autograd;

public class OpTests
{
    public static TheoryData<int> Cases() => [.. Enumerable.Range(0, OpCases.All().Count())];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Composed_gradient_equals_central_differences_in_double(int index)
    {
        OpCase op = OpCases.All().ElementAt(index);
        using MemoryScope scope = MemoryScope.Begin();
        Tensor[] inputs = Inputs(op, DType.F64, strided: false);
        (Tensor output, Tensor weights, Tensor?[] gradients) = Differentiate(op, inputs);
        const double Step = 1e-5;
        for (int i = 0; i < inputs.Length; i++)
        {
            double[] analytic = gradients[i]?.ToArray<double>() ?? new double[inputs[i].Count];
            Span<double> values = inputs[i].Span<double>();
            for (int j = 0; j < values.Length; j += Math.Max(1, values.Length / 7))
            {
                double kept = values[j];
                values[j] = kept + Step;
                double above = Weighted(op.Compute(inputs), weights);
                values[j] = kept - Step;
                double below = Weighted(op.Compute(inputs), weights);
                values[j] = kept;
                double numeric = (above - below) / (2 * Step);
                Assert.True(Math.Abs(numeric - analytic[j]) <= 2e-7 * (1 + Math.Abs(numeric)), $"{op}: input {i}, element {j}: tape {analytic[j]}, central difference {numeric}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Fused_equals_composed(int index)
    {
        OpCase op = OpCases.All().ElementAt(index);
        foreach (bool strided in (bool[])[false, true])
        {
            using MemoryScope scope = MemoryScope.Begin();
            Tensor[] exactInputs = Inputs(op, DType.F64, strided: false);
            (Tensor exact, _, Tensor?[] exactGradients) = Differentiate(op, exactInputs);
            Tensor[] inputs = Inputs(op, DType.F32, strided);
            (Tensor output, _, Tensor?[] gradients) = Differentiate(op, inputs);
            AssertClose(exact, output, $"{op}: result");
            for (int i = 0; i < inputs.Length; i++)
            {
                Assert.Equal(exactGradients[i] is null, gradients[i] is null);
                if (gradients[i] is { } gradient) AssertClose(exactGradients[i]!, gradient, $"{op}: gradient of input {i}{(strided ? " (strided)" : "")}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Results_that_are_computed_again_give_the_same_gradients(int index)
    {
        OpCase op = OpCases.All().ElementAt(index);
        using MemoryScope scope = MemoryScope.Begin();
        Assert.Equal(Gradients(dropsResult: false), Gradients(dropsResult: true));

        float[][] Gradients(bool dropsResult)
        {
            Tensor[] inputs = Inputs(op, DType.F32, strided: false);
            foreach (Tensor input in inputs) input.RequireGradient();
            using Tape tape = Tape.Begin();
            Tensor z;
            using (MemoryScope inner = MemoryScope.Begin())
            {
                // The gradient of a square reads what was squared.
                Tensor y = op.Compute(inputs);
                z = inner.Return(Ops.Multiply(y, y));
                if (!dropsResult) inner.Return(y);
            }
            tape.Backward(z, Random(z.Shape, z.DType, 99));
            return [.. inputs.Select(i => i.Gradient()!.ToArray<float>())];
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradients_of_two_passes_add_up(int index)
    {
        OpCase op = OpCases.All().ElementAt(index);
        using MemoryScope scope = MemoryScope.Begin();
        Tensor[] inputs = Inputs(op, DType.F32, strided: false);
        float[][] once = [.. Differentiate(op, inputs).Gradients.Select(gradient => gradient?.ToArray<float>() ?? [])];
        float[][] twice = [.. Differentiate(op, inputs).Gradients.Select(gradient => gradient?.ToArray<float>() ?? [])];
        for (int i = 0; i < once.Length; i++)
            for (int j = 0; j < once[i].Length; j++)
                Assert.True(Math.Abs(twice[i][j] - 2 * once[i][j]) <= 1e-5 * (1 + Math.Abs(once[i][j])), $"{op}: gradient {j} of input {i}: {once[i][j]}, then {twice[i][j]}");
    }

    internal static (Tensor Output, Tensor Weights, Tensor?[] Gradients) Differentiate(OpCase op, Tensor[] inputs)
    {
        foreach (Tensor input in inputs) input.RequireGradient();
        using Tape tape = Tape.Begin();
        Tensor output = op.Compute(inputs);
        Tensor weights = Random(output.Shape, output.DType, 99);
        tape.Backward(output, Ops.To(weights, output.Device));
        return (output.Detach(), weights, [.. inputs.Select(i => i.Gradient())]);
    }

    internal static Tensor[] Inputs(OpCase op, DType dtype, bool strided) =>
        [.. op.Inputs.Select((shape, i) => strided ? Strided(Random(shape, dtype, (ulong)i)) : Random(shape, dtype, (ulong)i))];

    /// <summary>The same numbers, laid out with the axes reversed in memory.</summary>
    private static Tensor Strided(Tensor x) => Transposed(x).ViewPermuted([.. Enumerable.Range(0, x.Rank).Reverse()]);

    /// <summary>A copy with the axes in reverse.</summary>
    internal static Tensor Transposed(Tensor x) => x.ViewPermuted([.. Enumerable.Range(0, x.Rank).Reverse()]).Copy();

    private static Tensor Random(Shape shape, DType dtype, ulong seed)
    {
        float[] values = new float[shape.Count];
        new RandomSource(seed, 17).FillUniform(values, -1, 1);
        return dtype == DType.F64 ? Tensor.From(Array.ConvertAll(values, v => (double)v), shape) : Tensor.From(values, shape);
    }

    private static double Weighted(Tensor output, Tensor weights) => output.ToArray<double>().Zip(weights.ToArray<double>(), (a, b) => a * b).Sum();

    internal static void AssertClose(Tensor expected, Tensor actual, string what)
    {
        Assert.Equal(expected.Shape, actual.Shape);
        double[] e = expected.ToArray<double>();
        float[] a = actual.ToArray<float>();
        double scale = e.Length == 0 ? 1 : Math.Max(0.05, e.Max(Math.Abs));
        for (int i = 0; i < e.Length; i++)
            Assert.True(Math.Abs(e[i] - a[i]) <= Tolerance.Fused * scale, $"{what}, element {i}: {a[i]}, expected {e[i]}");
    }
}
