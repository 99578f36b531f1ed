namespace Lavt.Tests.Kernels;

/// <summary>The four losses as plain loops in double precision: logits [B, H, W, 2], targets [B, H, W].</summary>
internal static class LossReference
{
    public static double CrossEntropy(double[] logits, byte[] target)
    {
        double sum = 0, weights = 0;
        for (int i = 0; i < target.Length; i++)
        {
            double weight = target[i] == 1 ? 1.1f : 0.9f;
            sum -= weight * Math.Log(Probability(logits, i, target[i]));
            weights += weight;
        }
        return sum / weights;
    }

    public static double Dice(double[] logits, byte[] target, int batch)
    {
        int pixels = target.Length / batch;
        double loss = 0;
        for (int b = 0; b < batch; b++)
            for (int c = 0; c < 2; c++)
            {
                double intersection = 0, cardinality = 0;
                for (int i = b * pixels; i < (b + 1) * pixels; i++)
                {
                    double p = Probability(logits, i, c), t = target[i] == c ? 1 : 0;
                    intersection += p * t;
                    cardinality += p * p + t;
                }
                loss += 1 - 2 * intersection / (cardinality + 1e-6);
            }
        return loss / (2 * batch);
    }

    public static double Focal(double[] logits, byte[] target)
    {
        double loss = 0;
        for (int i = 0; i < target.Length; i++)
            for (int c = 0; c < 2; c++)
            {
                double p = Probability(logits, i, c), t = target[i] == c ? 1 : 0, right = p * t + (1 - p) * (1 - t);
                loss -= 0.25 * (1 - right) * (1 - right) * (t * Math.Log(right + 1e-5) + (1 - t) * Math.Log(1 - right + 1e-5));
            }
        return loss / (2 * target.Length);
    }

    public static double Boundary(double[] logits, byte[] target, int batch, int height, int width)
    {
        int pixels = height * width;
        double loss = 0;
        for (int b = 0; b < batch; b++)
            for (int c = 0; c < 2; c++)
            {
                double[] outside = new double[pixels], trueOutside = new double[pixels];
                for (int i = 0; i < pixels; i++)
                {
                    outside[i] = 1 - Probability(logits, b * pixels + i, c);
                    trueOutside[i] = target[b * pixels + i] == c ? 0 : 1;
                }
                double[] edge = Edge(outside, height, width), trueEdge = Edge(trueOutside, height, width);
                double[] near = MaxPool(edge, height, width, 5), nearTrue = MaxPool(trueEdge, height, width, 5);
                double precision = Dot(edge, nearTrue) / (edge.Sum() + 1e-7), recall = Dot(near, trueEdge) / (trueEdge.Sum() + 1e-7);
                loss += 1 - 2 * precision * recall / (precision + recall + 1e-7);
            }
        return loss / (2 * batch);
    }

    public static double[] MaxPool(double[] x, int height, int width, int size)
    {
        double[] y = new double[x.Length];
        for (int i = 0; i < x.Length; i++) y[i] = x[FirstLargest(x, height, width, size, i)];
        return y;
    }

    /// <summary>The first of the largest cells in the window around a cell, row by row.</summary>
    public static int FirstLargest(double[] x, int height, int width, int size, int cell)
    {
        (int row, int column) = Math.DivRem(cell, width);
        int best = -1;
        for (int r = Math.Max(0, row - size / 2); r <= Math.Min(height - 1, row + size / 2); r++)
            for (int c = Math.Max(0, column - size / 2); c <= Math.Min(width - 1, column + size / 2); c++)
                if (best < 0 || x[r * width + c] > x[best]) best = r * width + c;
        return best;
    }

    private static double[] Edge(double[] outside, int height, int width)
    {
        double[] edge = MaxPool(outside, height, width, 3);
        for (int i = 0; i < edge.Length; i++) edge[i] -= outside[i];
        return edge;
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static double Probability(double[] logits, int pixel, int pixelClass) =>
        1 / (1 + Math.Exp(logits[2 * pixel + 1 - pixelClass] - logits[2 * pixel + pixelClass]));
}
