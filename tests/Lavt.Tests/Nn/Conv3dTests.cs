using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Nn;

/// <summary>The layer's packed weight: the same numbers as without one, and never an old one.</summary>
public sealed class Conv3dTests
{
    [Theory]
    [InlineData(3, 3, 3)]
    [InlineData(3, 1, 1)]
    [InlineData(1, 1, 1)]
    public void A_packed_weight_changes_nothing(int frames, int height, int width)
    {
        using MemoryScope scope = MemoryScope.Begin();
        (Conv3d layer, Tensor x) = Create(frames, height, width);
        layer.SetTraining(true);
        float[] expected = layer.Forward(x, Activation.Gelu).Span<float>().ToArray();
        layer.SetTraining(false);
        Assert.Equal(expected, layer.Forward(x, Activation.Gelu).Span<float>().ToArray());
        layer.KeepForInferenceOnly();
        Assert.Equal(expected, layer.Forward(x, Activation.Gelu).Span<float>().ToArray());
        Assert.Throws<InvalidOperationException>(() => layer.SetTraining(true));
    }

    [Fact]
    public void A_changed_weight_is_packed_again()
    {
        using MemoryScope scope = MemoryScope.Begin();
        (Conv3d layer, Tensor x) = Create(3, 1, 1);
        layer.SetTraining(false);
        float[] before = layer.Forward(x).Span<float>().ToArray();
        foreach (ref float value in layer.Weight.Span<float>()) value *= 2;
        layer.NotifyWeightsChanged();
        Assert.NotEqual(before, layer.Forward(x).Span<float>().ToArray());
        Assert.Equal(Ops.Conv3d(x, layer.Weight, layer.Bias).Span<float>().ToArray(), layer.Forward(x).Span<float>().ToArray());
    }

    private static (Conv3d Layer, Tensor X) Create(int frames, int height, int width)
    {
        Conv3d layer = new(5, 7, new Volume(frames, height, width), new RandomSource(3));
        Random random = new(4);
        float[] values = [.. Enumerable.Range(0, 2 * 3 * 4 * 6 * 5).Select(_ => random.NextSingle() - 0.5f)];
        return (layer, Tensor.From(values, [2, 3, 4, 6, 5]));
    }
}
