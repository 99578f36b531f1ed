using Lavt.Kernels.Cpu;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public unsafe class BatchNormTests
{
    private const float Eps = 1e-5f;
    private const float Momentum = 0.1f;

    public static TheoryData<int, int, bool, bool> Cases
    {
        get
        {
            TheoryData<int, int, bool, bool> cases = [];
            foreach ((int rows, int channels) in ((int, int)[])[(3, 1), (7, 5), (16, 16), (21, 17)])
                foreach (bool training in (bool[])[true, false])
                    foreach (bool relu in (bool[])[true, false]) cases.Add(rows, channels, training, relu);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_and_backward_equal_double_precision(int rows, int channels, bool training, bool relu)
    {
        Run run = Run.Random(rows, channels, training, relu);
        double[] x = ToDouble(run.X), gamma = ToDouble(run.Gamma), beta = ToDouble(run.Beta);
        AssertClose(run.Reference(x, gamma, beta), run.Y, 1e-6, "y");
        AssertClose(CentralDifferences(v => Dot(run.Reference(v, gamma, beta), run.Dy), x, 1e-6), run.Dx, 1e-5, "dx");
        AssertClose(CentralDifferences(v => Dot(run.Reference(x, v, beta), run.Dy), gamma, 1e-6), run.DGamma, 3e-6, "dGamma");
        AssertClose(CentralDifferences(v => Dot(run.Reference(x, gamma, v), run.Dy), beta, 1e-6), run.DBeta, 3e-6, "dBeta");
    }

    [Fact]
    public void Many_rows_equal_double_precision()
    {
        Run run = Run.Random(20_001, 33, training: true, relu: true);
        AssertClose(run.Reference(ToDouble(run.X), ToDouble(run.Gamma), ToDouble(run.Beta)), run.Y, 6e-7, "y");
    }

    [Fact]
    public void Running_statistics_move_by_the_momentum_and_use_the_unbiased_variance()
    {
        Run run = Run.Random(5, 3, training: true, relu: false);
        for (int c = 0; c < 3; c++)
        {
            double mean = 0, sum = 0;
            for (int r = 0; r < 5; r++) mean += run.X[r * 3 + c] / 5.0;
            for (int r = 0; r < 5; r++) sum += Math.Pow(run.X[r * 3 + c] - mean, 2);
            Assert.Equal(0.9 * run.RunningMeanBefore[c] + 0.1 * mean, run.RunningMean[c], 1e-6);
            Assert.Equal(0.9 * run.RunningVarianceBefore[c] + 0.1 * sum / 4, run.RunningVariance[c], 1e-6);
        }
    }

    [Fact]
    public void One_row_cannot_be_trained_on()
    {
        ArgumentOutOfRangeException error = Assert.Throws<ArgumentOutOfRangeException>(() => Run.Random(1, 4, training: true, relu: false));
        Assert.Contains("at least 2 values per channel", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Result_does_not_depend_on_the_number_of_workers() => AssertIndependentOfWorkers(() =>
    {
        Run run = Run.Random(5000, 24, training: true, relu: true);
        return [.. run.Y, .. run.Dx, .. run.DGamma, .. run.DBeta, .. run.RunningVariance];
    });

    /// <summary>One forward and backward pass with random inputs.</summary>
    private sealed class Run
    {
        private readonly int _rows, _channels;
        private readonly bool _training, _relu;

        private Run(int rows, int channels, bool training, bool relu)
        {
            (_rows, _channels, _training, _relu) = (rows, channels, training, relu);
            (X, Dy) = (Uniform(rows * channels, 1, -1, 3), Uniform(rows * channels, 2));
            (Gamma, Beta) = (Uniform(channels, 3, 0.5, 1.5), Uniform(channels, 4));
            (RunningMeanBefore, RunningVarianceBefore) = (Uniform(channels, 5), Uniform(channels, 6, 0.5, 2));
            using GuardedArray<float> x = new(X), gamma = new(Gamma), beta = new(Beta), y = new(X.Length), mean = new(channels), rstd = new(channels);
            using GuardedArray<float> runningMean = new(RunningMeanBefore), runningVariance = new(RunningVarianceBefore);
            using GuardedArray<float> dy = new(Dy), dx = new(X.Length), dGamma = new(channels), dBeta = new(channels);
            if (training) BatchNorm.ForwardTraining(x, gamma, beta, y, mean, rstd, runningMean, runningVariance, rows, channels, Momentum, Eps, relu);
            else BatchNorm.ForwardEvaluation(x, gamma, beta, y, mean, rstd, runningMean, runningVariance, rows, channels, Eps, relu);
            BatchNorm.Backward(x, gamma, relu ? beta : (float*)null, mean, rstd, dy, dx, dGamma, dBeta, rows, channels, training);
            (Y, Dx, DGamma, DBeta) = (y.ToArray(), dx.ToArray(), dGamma.ToArray(), dBeta.ToArray());
            (RunningMean, RunningVariance) = (runningMean.ToArray(), runningVariance.ToArray());
        }

        public float[] X { get; }

        public float[] Dy { get; }

        public float[] Gamma { get; }

        public float[] Beta { get; }

        public float[] RunningMeanBefore { get; }

        public float[] RunningVarianceBefore { get; }

        public float[] Y { get; }

        public float[] Dx { get; }

        public float[] DGamma { get; }

        public float[] DBeta { get; }

        public float[] RunningMean { get; }

        public float[] RunningVariance { get; }

        public static Run Random(int rows, int channels, bool training, bool relu) => new(rows, channels, training, relu);

        public double[] Reference(double[] x, double[] gamma, double[] beta)
        {
            double[] y = new double[x.Length];
            for (int c = 0; c < _channels; c++)
            {
                double mean = _training ? 0 : RunningMeanBefore[c], variance = _training ? 0 : RunningVarianceBefore[c];
                for (int r = 0; r < _rows && _training; r++) mean += x[r * _channels + c] / _rows;
                for (int r = 0; r < _rows && _training; r++) variance += Math.Pow(x[r * _channels + c] - mean, 2) / _rows;
                for (int i = c; i < x.Length; i += _channels)
                {
                    y[i] = (x[i] - mean) / Math.Sqrt(variance + Eps) * gamma[c] + beta[c];
                    if (_relu) y[i] = Math.Max(y[i], 0);
                }
            }
            return y;
        }
    }
}
