using Lavt.Nn;
using Xunit;

namespace Lavt.Tests.Nn;

public class LossScalerTests
{
    [Fact]
    public void The_scale_moves_as_in_PyTorch()
    {
        LossScaler scaler = new(enabled: true);
        Assert.Equal(65536, scaler.Scale);
        Assert.False(scaler.Update(gradientsFinite: false));
        Assert.Equal(32768, scaler.Scale);
        for (int i = 0; i < 1999; i++) Assert.True(scaler.Update(gradientsFinite: true));
        Assert.Equal(32768, scaler.Scale);
        scaler.Update(gradientsFinite: true);
        Assert.Equal(65536, scaler.Scale);
        for (int i = 0; i < 1999; i++) scaler.Update(gradientsFinite: true);
        scaler.Update(gradientsFinite: false);
        scaler.Update(gradientsFinite: true);
        Assert.Equal((32768, 1), (scaler.Scale, scaler.GoodSteps));
    }

    [Fact]
    public void In_float32_the_scale_is_one_and_bad_steps_are_still_told()
    {
        LossScaler scaler = new(enabled: false);
        Assert.True(scaler.Update(gradientsFinite: true));
        Assert.False(scaler.Update(gradientsFinite: false));
        Assert.Equal(1, scaler.Scale);
    }
}
