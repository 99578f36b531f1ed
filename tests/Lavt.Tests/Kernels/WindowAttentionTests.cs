using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

public unsafe class WindowAttentionTests
{
    /// <summary>height, width, window, shift, heads, headDim.</summary>
    public static TheoryData<int, int, int, int, int, int> Shapes => new()
    {
        { 1, 1, 1, 0, 1, 1 },
        { 1, 1, 2, 1, 1, 4 },
        { 3, 5, 2, 0, 2, 4 },
        { 3, 5, 2, 1, 2, 4 },
        { 4, 4, 2, 1, 3, 8 },
        { 7, 6, 3, 1, 2, 5 },
        { 2, 3, 4, 2, 2, 16 },
        { 9, 8, 4, 2, 1, 48 },
        { 6, 11, 5, 2, 2, 17 },
        { 14, 14, 7, 3, 3, 32 },
        { 15, 20, 7, 0, 1, 32 },
        { 15, 20, 7, 3, 1, 32 },
        { 5, 5, 7, 3, 2, 32 },
        { 15, 15, 12, 0, 2, 32 },
        { 15, 15, 12, 6, 2, 32 },
        { 8, 30, 12, 6, 1, 32 },
        { 12, 12, 12, 6, 1, 16 },
        { 17, 3, 16, 8, 1, 8 },
        { 5, 4, 6, 5, 1, 33 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_equals_double_precision(int height, int width, int window, int shift, int heads, int headDim)
    {
        Case c = new(2, height, width, heads, headDim, window, shift);
        double[] expected = c.Reference.Forward(c.Double(c.Qkv), c.Double(c.QkvBias), c.Double(c.Table));
        AssertClose(expected, c.Forward(c.QkvBias), 2e-6);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_equals_double_precision(int height, int width, int window, int shift, int heads, int headDim)
    {
        Case c = new(2, height, width, heads, headDim, window, shift);
        c.Reference.Backward(c.Double(c.Qkv), c.Double(c.QkvBias), c.Double(c.Table), c.Double(c.DOutput));
        Gradients actual = c.Backward(c.QkvBias);
        AssertClose(c.Reference.DQkv, actual.Qkv, 3e-6);
        AssertClose(c.Reference.DQkvBias, actual.QkvBias, 3e-6);
        AssertClose(c.Reference.DBiasTable, actual.Table, 3e-6);
    }

    [Fact]
    public void Sums_over_windows_are_added_to_what_is_there()
    {
        Case c = new(1, 5, 5, 1, 8, 4, 2);
        Gradients once = c.Backward(c.QkvBias), onTop = c.Backward(c.QkvBias, initial: 0.5f);
        Assert.Equal(once.Qkv, onTop.Qkv);
        Assert.Equal(once.QkvBias.Select(g => g + 0.5f), onTop.QkvBias);
        Assert.Equal(once.Table.Select(g => g + 0.5f), onTop.Table);
    }

    [Fact]
    public void Without_a_bias_its_gradient_is_not_wanted()
    {
        Case c = new(1, 3, 4, 2, 8, 4, 2);
        c.Reference.Backward(c.Double(c.Qkv), new double[c.QkvBias.Length], c.Double(c.Table), c.Double(c.DOutput));
        Gradients actual = c.Backward(null);
        AssertClose(c.Reference.DQkv, actual.Qkv, 3e-6);
        AssertClose(c.Reference.DBiasTable, actual.Table, 3e-6);
    }

    [Fact]
    public void Without_a_bias_padding_tokens_are_zeros()
    {
        Case c = new(1, 3, 4, 2, 8, 4, 2);
        double[] expected = c.Reference.Forward(c.Double(c.Qkv), new double[c.QkvBias.Length], c.Double(c.Table));
        AssertClose(expected, c.Forward(null), 2e-6);
        Assert.NotEqual(c.Forward(c.QkvBias), c.Forward(null));
    }

    [Fact]
    public void Large_scores_do_not_overflow()
    {
        Case c = new(1, 9, 9, 1, 32, 7, 3, spread: 12);
        double[] expected = c.Reference.Forward(c.Double(c.Qkv), c.Double(c.QkvBias), c.Double(c.Table));
        AssertClose(expected, c.Forward(c.QkvBias), 2e-4);
    }

    [Theory]
    [InlineData(15, 15, 12, 6, 2, 32)]
    [InlineData(9, 8, 4, 2, 3, 8)]
    public void Results_do_not_depend_on_the_number_of_workers(int height, int width, int window, int shift, int heads, int headDim)
    {
        Case c = new(2, height, width, heads, headDim, window, shift);
        float[][] results = WithWorkers(() => c.Forward(c.QkvBias));
        Assert.All(results, r => Assert.Equal(results[0], r));
        Gradients[] gradients = WithWorkers(() => c.Backward(c.QkvBias));
        Assert.All(gradients, g => Assert.Equal(gradients[0].Qkv, g.Qkv));
        Assert.All(gradients, g => Assert.Equal(gradients[0].QkvBias, g.QkvBias));
        Assert.All(gradients, g => Assert.Equal(gradients[0].Table, g.Table));
    }

    [Fact]
    public void An_empty_batch_is_nothing_to_do() => WindowAttention.Forward(null, null, null, null, 0, 4, 4, 1, 8, 2, 0);

    [Theory]
    [InlineData(4, 4, 1, 8, 2, 2)]
    [InlineData(4, 4, 1, 8, 2, -1)]
    [InlineData(0, 4, 1, 8, 2, 0)]
    [InlineData(4, 4, 0, 8, 2, 0)]
    [InlineData(4, 4, 1, 8, 0, 0)]
    public void Impossible_sizes_are_refused(int height, int width, int heads, int headDim, int window, int shift) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => WindowAttention.Forward(null, null, null, null, 1, height, width, heads, headDim, window, shift));

    private static T[] WithWorkers<T>(Func<T> action)
    {
        List<T> results = [];
        foreach (int count in new[] { 1, 2, 3, 5 })
        {
            using Workers workers = new(count);
            Workers.Use(workers);
            try
            {
                results.Add(action());
            }
            finally
            {
                Workers.Use(null);
            }
        }
        return [.. results];
    }

    private static void AssertClose(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        double scale = Math.Max(1, expected.Max(Math.Abs));
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * scale, $"element {i}: expected {expected[i]}, was {actual[i]}");
    }

    private sealed record Gradients(float[] Qkv, float[] QkvBias, float[] Table);

    private sealed class Case
    {
        private readonly int _batch, _height, _width, _heads, _headDim, _window, _shift;

        public Case(int batch, int height, int width, int heads, int headDim, int window, int shift, double spread = 1.5)
        {
            (_batch, _height, _width, _heads, _headDim, _window, _shift) = (batch, height, width, heads, headDim, window, shift);
            Random random = new(window * 1000 + shift);
            float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 2 - 1) * spread))];
            Qkv = Values(batch * height * width * 3 * heads * headDim);
            QkvBias = Values(3 * heads * headDim);
            Table = Values((2 * window - 1) * (2 * window - 1) * heads);
            DOutput = Values(Qkv.Length / 3);
            Reference = new(batch, height, width, heads, headDim, window, shift);
        }

        public WindowAttentionReference Reference { get; }

        public float[] Qkv { get; }

        public float[] QkvBias { get; }

        public float[] Table { get; }

        public float[] DOutput { get; }

        public double[] Double(float[] values) => [.. values.Select(v => (double)v)];

        public float[] Forward(float[]? qkvBias)
        {
            // What is not written stays NaN and fails the comparison.
            float[] output = new float[Qkv.Length / 3];
            Array.Fill(output, float.NaN);
            fixed (float* q = Qkv, b = qkvBias, t = Table, o = output)
                WindowAttention.Forward(q, b, t, o, _batch, _height, _width, _heads, _headDim, _window, _shift);
            return output;
        }

        public Gradients Backward(float[]? qkvBias, float initial = 0)
        {
            Gradients result = new(new float[Qkv.Length], new float[QkvBias.Length], new float[Table.Length]);
            Array.Fill(result.Qkv, float.NaN);
            Array.Fill(result.QkvBias, initial);
            Array.Fill(result.Table, initial);
            fixed (float* q = Qkv, b = qkvBias, t = Table, o = DOutput, dq = result.Qkv, db = result.QkvBias, dt = result.Table)
            {
                WindowAttention.Backward(q, b, t, o, dq, qkvBias is null ? null : db, dt,
                    _batch, _height, _width, _heads, _headDim, _window, _shift);
            }
            return result;
        }
    }
}
