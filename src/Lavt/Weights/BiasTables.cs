using Lavt.Tensors;

namespace Lavt.Weights;

/// <summary>Relative position bias tables of one window size made into those of another.</summary>
public static class BiasTables
{
    /// <summary>The coefficient of PyTorch's cubic convolution (Keys, 1981).</summary>
    private const double A = -0.75;

    /// <summary>
    /// Resizes a table [(2w − 1)², heads] to <paramref name="rows"/> rows as
    /// <c>F.interpolate(mode='bicubic', align_corners=False)</c> does for each head.
    /// </summary>
    public static Tensor Resize(Tensor table, int rows)
    {
        Tensor source = table.To(DType.F32);
        int from = (int)Math.Round(Math.Sqrt(source.Shape[0])), to = (int)Math.Round(Math.Sqrt(rows)), heads = source.Shape[1];
        if (from * from != source.Shape[0] || to * to != rows)
            throw new ArgumentException($"a bias table has a square number of rows; cannot resize {source.Shape[0]} to {rows}");
        Tensor result = Tensor.Empty([rows, heads]);
        ReadOnlySpan<float> x = source.Span<float>();
        Span<float> y = result.Span<float>();
        Span<double> weightsY = stackalloc double[4], weightsX = stackalloc double[4];
        for (int row = 0; row < to; row++)
            for (int column = 0; column < to; column++)
            {
                int top = Weights(row, from, to, weightsY), left = Weights(column, from, to, weightsX);
                for (int head = 0; head < heads; head++)
                {
                    double sum = 0;
                    for (int i = 0; i < 4; i++)
                        for (int j = 0; j < 4; j++)
                            sum += weightsY[i] * weightsX[j] * x[(Clamp(top + i, from) * from + Clamp(left + j, from)) * heads + head];
                    y[(row * to + column) * heads + head] = (float)sum;
                }
            }
        return result;
    }

    private static int Clamp(int index, int extent) => Math.Clamp(index, 0, extent - 1);

    /// <summary>The four weights of a result, and the index of the first of the four samples.</summary>
    private static int Weights(int index, int from, int to, Span<double> weights)
    {
        double at = (index + 0.5) * from / to - 0.5;
        int low = (int)Math.Floor(at);
        double t = at - low;
        weights[0] = Far(t + 1);
        weights[1] = Near(t);
        weights[2] = Near(1 - t);
        weights[3] = Far(2 - t);
        return low - 1;
    }

    private static double Near(double x) => ((A + 2) * x - (A + 3)) * x * x + 1;

    private static double Far(double x) => ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
}
