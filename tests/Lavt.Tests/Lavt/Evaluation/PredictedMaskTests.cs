using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Evaluation;

public class PredictedMaskTests
{
    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void Logits_that_are_no_numbers_make_no_mask(float value)
    {
        Tensor logits = Tensor.Zeros([2, 5, 7, 2]);
        Mask mask = new();
        for (int i = 70; i < 140; i++)
        {
            logits.Span<float>()[i] = value;
            PredictedMask.Read(logits, 0, mask);
            Assert.Throws<NotFiniteException>(() => PredictedMask.Read(logits, 1, mask));
            Assert.Throws<NotFiniteException>(() => PredictedMask.Read(logits, 1, 9, 9, mask));
            logits.Span<float>()[i] = float.MaxValue;
            PredictedMask.Read(logits, 1, mask);
        }
    }
}
