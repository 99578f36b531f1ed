using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

public unsafe class WordAttentionTests
{
    private const double MaskPenalty = 1e4;

    /// <summary>batch, tokens, words, channels, heads.</summary>
    public static TheoryData<int, int, int, int, int> Shapes => new()
    {
        { 1, 1, 1, 1, 1 },
        { 2, 5, 3, 4, 1 },
        { 1, 23, 20, 32, 1 },
        { 2, 25, 20, 48, 3 },
        { 1, 100, 22, 96, 1 },
        { 3, 49, 16, 64, 4 },
        { 1, 7, 17, 15, 3 },
        { 2, 20, 20, 768, 12 },
        { 1, 225, 20, 1024, 1 },
        { 1, 1600, 9, 24, 2 },
        { 2, 31, 33, 34, 2 },
        { 1, 10, 150, 16, 1 },
        { 2, 0, 5, 16, 1 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_equals_double_precision(int batch, int tokens, int words, int channels, int heads)
    {
        Case c = new(batch, tokens, words, channels, heads);
        AssertClose(c.ReferenceForward(), c.Forward(), 2e-6);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_equals_double_precision(int batch, int tokens, int words, int channels, int heads)
    {
        Case c = new(batch, tokens, words, channels, heads);
        (double[] dQ, double[] dK, double[] dV) = c.ReferenceBackward();
        Gradients actual = c.Backward();
        AssertClose(dQ, actual.Q, 2e-6);
        AssertClose(dK, actual.K, 2e-6);
        AssertClose(dV, actual.V, 2e-6);
    }

    [Fact]
    public void Gradients_of_the_reference_equal_central_differences()
    {
        Case c = new(2, 3, 4, 6, 2);
        (double[] dQ, double[] dK, double[] dV) = c.ReferenceBackward();
        foreach ((double[] variable, double[] gradient) in new[] { (c.Q, dQ), (c.K, dK), (c.V, dV) })
        {
            for (int i = 0; i < variable.Length; i++)
            {
                double value = variable[i];
                variable[i] = value + 1e-5;
                double above = c.ReferenceForward().Zip(c.DOutput, (a, b) => a * b).Sum();
                variable[i] = value - 1e-5;
                double below = c.ReferenceForward().Zip(c.DOutput, (a, b) => a * b).Sum();
                variable[i] = value;
                Assert.Equal((above - below) / 2e-5, gradient[i], 1e-8);
            }
        }
    }

    [Fact]
    public void Padding_words_have_no_influence()
    {
        Case c = new(1, 30, 8, 32, 1);
        float[] before = c.Forward();
        for (int word = 0; word < 8; word++)
            for (int channel = 0; channel < 32 && c.Mask[word] == 0; channel++) c.V[word * 32 + channel] = 100;
        Assert.Equal(before, c.Forward());
    }

    [Fact]
    public void Results_do_not_depend_on_the_number_of_workers()
    {
        Case c = new(2, 333, 20, 64, 2);
        float[] output = c.Forward();
        Gradients gradients = c.Backward();
        foreach (int count in new[] { 1, 2, 3, 5 })
        {
            using Workers workers = new(count);
            Workers.Use(workers);
            try
            {
                Assert.Equal(output, c.Forward());
                Gradients again = c.Backward();
                Assert.Equal(gradients.Q, again.Q);
                Assert.Equal(gradients.K, again.K);
                Assert.Equal(gradients.V, again.V);
            }
            finally
            {
                Workers.Use(null);
            }
        }
    }

    [Fact]
    public void Heads_must_divide_channels()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => WordAttention.Forward(null, null, null, null, null, 1, 1, 1, 10, 3, 1, 1));
        Assert.Contains("multiple of the number of heads, 3", error.Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => WordAttention.Forward(null, null, null, null, null, 1, 1, 0, 10, 2, 1, 1));
    }

    private static void AssertClose(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        double scale = expected.Length == 0 ? 1 : Math.Max(1, expected.Max(Math.Abs));
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * scale, $"element {i}: expected {expected[i]}, was {actual[i]}");
    }

    private sealed record Gradients(float[] Q, float[] K, float[] V);

    /// <summary>Random values that floats hold exactly, and plain loops over them.</summary>
    private sealed class Case
    {
        private readonly int _batch, _tokens, _words, _channels, _heads;
        private readonly double _scale;

        public Case(int batch, int tokens, int words, int channels, int heads)
        {
            (_batch, _tokens, _words, _channels, _heads) = (batch, tokens, words, channels, heads);
            _scale = (float)Math.Pow(channels, -0.5);
            Random random = new(words * 100 + heads);
            double[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => (double)(float)(random.NextDouble() * 4 - 2))];
            Q = Values(batch * tokens * channels);
            K = Values(batch * words * channels);
            V = Values(batch * words * channels);
            DOutput = Values(batch * tokens * channels);
            // Every sample has at least one word, and a different number of them.
            Mask = [.. Enumerable.Range(0, batch * words).Select(i => i % words <= words * 2 / 3 - i / words ? 1.0 : 0.0)];
            for (int b = 0; b < batch; b++) Mask[b * words] = 1;
        }

        public double[] Q { get; }

        public double[] K { get; }

        public double[] V { get; }

        public double[] Mask { get; }

        public double[] DOutput { get; }

        public double[] ReferenceForward()
        {
            double[] output = new double[Q.Length];
            ForEachQuery((q, word, p) =>
            {
                for (int l = 0; l < _words; l++)
                    for (int d = 0; d < _channels / _heads; d++) output[q + d] += p[l] * V[word(l) + d];
            });
            return output;
        }

        public (double[] Q, double[] K, double[] V) ReferenceBackward()
        {
            double[] dQ = new double[Q.Length], dK = new double[K.Length], dV = new double[V.Length];
            ForEachQuery((q, word, p) =>
            {
                int headDim = _channels / _heads;
                double[] dP = new double[_words];
                for (int l = 0; l < _words; l++)
                    for (int d = 0; d < headDim; d++) dP[l] += DOutput[q + d] * V[word(l) + d];
                double mean = p.Zip(dP, (a, b) => a * b).Sum();
                for (int l = 0; l < _words; l++)
                {
                    double dS = p[l] * (dP[l] - mean) * _scale;
                    for (int d = 0; d < headDim; d++)
                    {
                        dQ[q + d] += dS * K[word(l) + d];
                        dK[word(l) + d] += dS * Q[q + d];
                        dV[word(l) + d] += p[l] * DOutput[q + d];
                    }
                }
            });
            return (dQ, dK, dV);
        }

        public float[] Forward()
        {
            float[] output = NaNs(Q.Length);
            fixed (float* q = Single(Q), k = Single(K), v = Single(V), m = Single(Mask), o = output)
                WordAttention.Forward(q, k, v, m, o, _batch, _tokens, _words, _channels, _heads, (float)_scale, (float)MaskPenalty);
            return output;
        }

        public Gradients Backward()
        {
            Gradients result = new(NaNs(Q.Length), NaNs(K.Length), NaNs(V.Length));
            fixed (float* q = Single(Q), k = Single(K), v = Single(V), m = Single(Mask), o = Single(DOutput), dq = result.Q, dk = result.K, dv = result.V)
                WordAttention.Backward(q, k, v, m, o, dq, dk, dv, _batch, _tokens, _words, _channels, _heads, (float)_scale, (float)MaskPenalty);
            return result;
        }

        /// <summary>What is not written stays NaN and fails the comparison.</summary>
        private static float[] NaNs(int length)
        {
            float[] values = new float[length];
            Array.Fill(values, float.NaN);
            return values;
        }

        private static float[] Single(double[] values) => [.. values.Select(v => (float)v)];

        /// <summary>Calls with the offset of each query, the offsets of its head of the words, and its probabilities.</summary>
        private void ForEachQuery(Action<int, Func<int, int>, double[]> action)
        {
            int headDim = _channels / _heads;
            for (int b = 0; b < _batch; b++)
            {
                for (int h = 0; h < _heads; h++)
                {
                    (int sample, int head) = (b, h);
                    int Word(int l) => (sample * _words + l) * _channels + head * headDim;
                    for (int n = 0; n < _tokens; n++)
                    {
                        int q = (b * _tokens + n) * _channels + h * headDim;
                        double[] p = new double[_words];
                        for (int l = 0; l < _words; l++)
                        {
                            for (int d = 0; d < headDim; d++) p[l] += Q[q + d] * K[Word(l) + d];
                            p[l] = p[l] * _scale + MaskPenalty * (Mask[b * _words + l] - 1);
                        }
                        double largest = p.Max();
                        for (int l = 0; l < _words; l++) p[l] = Math.Exp(p[l] - largest);
                        double sum = p.Sum();
                        for (int l = 0; l < _words; l++) p[l] /= sum;
                        action(q, Word, p);
                    }
                }
            }
        }
    }
}
