using Lavt.Kernels.Cpu;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public unsafe class LossMaxPoolTests
{
    [Theory]
    [InlineData(1, 1, 3)]
    [InlineData(4, 7, 5)]
    [InlineData(6, 16, 3)]
    [InlineData(5, 33, 5)]
    public void Gradient_goes_to_the_first_largest_cell(int height, int width, int size)
    {
        int border = size / 2, stride = (width + 15) / 16 * 16 + 16, cells = (height + 2 * border) * stride + 16;
        // Few different values, so that there are ties.
        float[] values = Array.ConvertAll(Uniform(height * width, 1, 0, 3), MathF.Floor), gradient = Uniform(height * width, 2);
        using GuardedArray<float> x = Padded(values, float.NegativeInfinity), dy = Padded(gradient, 0), code = Padded(new float[height * width], -1);
        using GuardedArray<float> y = Padded(new float[height * width], 0), dx = Padded(new float[height * width], 0);
        for (int row = 0; row < height; row++)
        {
            Forward(At(x, row), At(y, row), At(code, row));
            for (int i = width; i < stride - border; i++) At(code, row)[i] = -1;
        }
        for (int row = 0; row < height; row++) Backward(At(dy, row), At(code, row), At(dx, row));

        double[] expected = new double[height * width];
        for (int i = 0; i < expected.Length; i++)
        {
            int largest = LossReference.FirstLargest(ToDouble(values), height, width, size, i);
            Assert.Equal(values[largest], At(y, i / width)[i % width]);
            expected[largest] += gradient[i];
        }
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], At(dx, i / width)[i % width], 2e-6);

        float* At(GuardedArray<float> map, int row) => map.Pointer + (row + border) * stride + border;

        GuardedArray<float> Padded(float[] source, float outer)
        {
            GuardedArray<float> map = new(cells);
            map.Span.Fill(outer);
            for (int row = 0; row < height; row++) source.AsSpan(row * width, width).CopyTo(map.Span[((row + border) * stride + border)..]);
            return map;
        }

        void Forward(float* from, float* to, float* codes)
        {
            if (CpuInfo.VectorBits == 512) MaxPool.ForwardRow<F512>(from, to, codes, width, stride, size);
            else if (CpuInfo.VectorBits == 256) MaxPool.ForwardRow<F256>(from, to, codes, width, stride, size);
            else MaxPool.ForwardRow<F128>(from, to, codes, width, stride, size);
        }

        void Backward(float* from, float* codes, float* to)
        {
            if (CpuInfo.VectorBits == 512) MaxPool.BackwardRow<F512>(from, codes, to, width, stride, size);
            else if (CpuInfo.VectorBits == 256) MaxPool.BackwardRow<F256>(from, codes, to, width, stride, size);
            else MaxPool.BackwardRow<F128>(from, codes, to, width, stride, size);
        }
    }
}
