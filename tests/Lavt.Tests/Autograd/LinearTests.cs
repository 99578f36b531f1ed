using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Autograd;

/// <summary>Linear layers one behind the other.</summary>
public class LinearTests
{
    /// <summary>Rows with gaps between them change where numbers lie, not what they are.</summary>
    [Theory]
    [InlineData(1024)]
    [InlineData(2048)]
    [InlineData(1000)]
    public void A_result_for_another_layer_has_the_same_bits(int hidden)
    {
        Tensor x = Random([2, 3, 11, 40], 1), first = Random([hidden, 40], 2), second = Random([24, hidden], 3);
        Tensor plain = Ops.Linear(x, first, activation: Activation.Gelu), gaps = Ops.Linear(x, first, activation: Activation.Gelu, forLinear: true);
        Assert.Equal(hidden % 1024 != 0, gaps.IsContiguous);
        Assert.Equal(plain.Shape, gaps.Shape);
        Assert.Equal(plain.ToArray<float>(), gaps.ToArray<float>());
        Assert.Equal(Ops.Linear(plain, second).ToArray<float>(), Ops.Linear(gaps, second).ToArray<float>());
        // A view whose rows are not equally far apart is copied.
        Tensor part = Random([2, 3, 12, hidden], 4).ViewSlice(2, 0, 11);
        Assert.Equal(Ops.Linear(part.Copy(), second).ToArray<float>(), Ops.Linear(part, second).ToArray<float>());
    }

    private static Tensor Random(Shape shape, ulong seed)
    {
        Tensor values = Tensor.Empty(shape);
        new RandomSource(seed).FillUniform(values.Span<float>(), -1, 1);
        return values;
    }
}
