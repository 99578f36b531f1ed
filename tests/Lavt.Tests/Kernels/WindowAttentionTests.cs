using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

public unsafe class WindowAttentionTests
{
    /// <summary>Map, window, shift and the table's window, heads, headDim.</summary>
    public static TheoryData<string, string, string, string, int, int> Shapes => new()
    {
        { "1x1x1", "1x1x1", "0x0x0", "1x1x1", 1, 1 },
        { "1x1x1", "1x2x2", "0x1x1", "1x2x2", 1, 4 },
        { "1x3x5", "1x2x2", "0x0x0", "1x2x2", 2, 4 },
        { "1x3x5", "1x2x2", "0x1x1", "1x2x2", 2, 4 },
        { "1x4x4", "1x2x2", "0x1x1", "1x2x2", 3, 8 },
        { "1x7x6", "1x3x3", "0x1x1", "1x3x3", 2, 5 },
        { "1x2x3", "1x4x4", "0x2x2", "1x4x4", 2, 16 },
        { "1x9x8", "1x4x4", "0x2x2", "1x4x4", 1, 48 },
        { "1x6x11", "1x5x5", "0x2x2", "1x5x5", 2, 17 },
        { "1x14x14", "1x7x7", "0x3x3", "1x7x7", 3, 32 },
        { "1x15x20", "1x7x7", "0x0x0", "1x7x7", 1, 32 },
        { "1x15x20", "1x7x7", "0x3x3", "1x7x7", 1, 32 },
        { "1x5x5", "1x7x7", "0x3x3", "1x7x7", 2, 32 },
        { "1x15x15", "1x12x12", "0x0x0", "1x12x12", 2, 32 },
        { "1x15x15", "1x12x12", "0x6x6", "1x12x12", 2, 32 },
        { "1x8x30", "1x12x12", "0x6x6", "1x12x12", 1, 32 },
        { "1x12x12", "1x12x12", "0x6x6", "1x12x12", 1, 16 },
        { "1x17x3", "1x16x16", "0x8x8", "1x16x16", 1, 8 },
        { "1x5x4", "1x6x6", "0x5x5", "1x6x6", 1, 33 },
        { "2x2x2", "2x2x2", "0x0x0", "2x2x2", 1, 4 },
        { "5x3x4", "2x3x2", "1x1x1", "2x3x2", 2, 5 },
        { "11x7x8", "8x7x4", "4x0x2", "8x7x7", 1, 8 },
        { "3x4x9", "3x4x7", "0x0x3", "8x7x7", 2, 16 },
        { "4x1x1", "4x1x1", "0x0x0", "8x12x12", 3, 8 },
        { "1x2x5", "1x2x3", "0x0x1", "1x3x3", 2, 8 },
        { "8x9x7", "8x7x7", "4x3x3", "8x7x7", 1, 32 },
        { "9x3x3", "8x3x3", "4x0x0", "8x7x7", 1, 8 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_equals_double_precision(string map, string window, string shift, string table, int heads, int headDim)
    {
        Case c = new(2, heads, headDim, WindowGeometry.Parse(map, window, shift, table));
        double[] expected = c.Reference.Forward(c.Double(c.Qkv), c.Double(c.QkvBias), c.Double(c.Table));
        AssertClose(expected, c.Forward(c.QkvBias), 2e-6);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_equals_double_precision(string map, string window, string shift, string table, int heads, int headDim)
    {
        Case c = new(2, heads, headDim, WindowGeometry.Parse(map, window, shift, table));
        c.Reference.Backward(c.Double(c.Qkv), c.Double(c.QkvBias), c.Double(c.Table), c.Double(c.DOutput));
        Gradients actual = c.Backward(c.QkvBias);
        AssertClose(c.Reference.DQkv, actual.Qkv, 3e-6);
        AssertClose(c.Reference.DQkvBias, actual.QkvBias, 3e-6);
        AssertClose(c.Reference.DBiasTable, actual.Table, 3e-6);
    }

    [Fact]
    public void Sums_over_windows_are_added_to_what_is_there()
    {
        Case c = new(1, 1, 8, WindowGeometry.Parse("1x5x5", "1x4x4", "0x2x2"));
        Gradients once = c.Backward(c.QkvBias), onTop = c.Backward(c.QkvBias, initial: 0.5f);
        Assert.Equal(once.Qkv, onTop.Qkv);
        Assert.Equal(once.QkvBias.Select(g => g + 0.5f), onTop.QkvBias);
        Assert.Equal(once.Table.Select(g => g + 0.5f), onTop.Table);
    }

    [Fact]
    public void Without_a_bias_its_gradient_is_not_wanted()
    {
        Case c = new(1, 2, 8, WindowGeometry.Parse("1x3x4", "1x4x4", "0x2x2"));
        c.Reference.Backward(c.Double(c.Qkv), new double[c.QkvBias.Length], c.Double(c.Table), c.Double(c.DOutput));
        Gradients actual = c.Backward(null);
        AssertClose(c.Reference.DQkv, actual.Qkv, 3e-6);
        AssertClose(c.Reference.DBiasTable, actual.Table, 3e-6);
    }

    [Fact]
    public void Without_a_bias_padding_tokens_are_zeros()
    {
        Case c = new(1, 2, 8, WindowGeometry.Parse("1x3x4", "1x4x4", "0x2x2"));
        double[] expected = c.Reference.Forward(c.Double(c.Qkv), new double[c.QkvBias.Length], c.Double(c.Table));
        AssertClose(expected, c.Forward(null), 2e-6);
        Assert.NotEqual(c.Forward(c.QkvBias), c.Forward(null));
    }

    [Fact]
    public void Large_scores_do_not_overflow()
    {
        Case c = new(1, 1, 32, WindowGeometry.Parse("1x9x9", "1x7x7", "0x3x3"), spread: 12);
        double[] expected = c.Reference.Forward(c.Double(c.Qkv), c.Double(c.QkvBias), c.Double(c.Table));
        AssertClose(expected, c.Forward(c.QkvBias), 2e-4);
    }

    [Theory]
    [InlineData("1x15x15", "1x12x12", "0x6x6", "1x12x12", 2, 32)]
    [InlineData("1x9x8", "1x4x4", "0x2x2", "1x4x4", 3, 8)]
    [InlineData("9x5x8", "8x5x7", "4x0x3", "8x7x7", 2, 8)]
    public void Results_do_not_depend_on_the_number_of_workers(string map, string window, string shift, string table, int heads, int headDim)
    {
        Case c = new(2, heads, headDim, WindowGeometry.Parse(map, window, shift, table));
        float[][] results = WithWorkers(() => c.Forward(c.QkvBias));
        Assert.All(results, r => Assert.Equal(results[0], r));
        Gradients[] gradients = WithWorkers(() => c.Backward(c.QkvBias));
        Assert.All(gradients, g => Assert.Equal(gradients[0].Qkv, g.Qkv));
        Assert.All(gradients, g => Assert.Equal(gradients[0].QkvBias, g.QkvBias));
        Assert.All(gradients, g => Assert.Equal(gradients[0].Table, g.Table));
    }

    [Fact]
    public void An_empty_batch_is_nothing_to_do() =>
        WindowAttention.Forward(null, null, null, null, 0, 1, 8, new(1, 4, 4), new(1, 2, 2), default, new(1, 2, 2));

    [Theory]
    [InlineData("1x4x4", "1x2x2", "0x2x2", "1x2x2", 1, 8)]
    [InlineData("1x4x4", "1x2x2", "0x-1x0", "1x2x2", 1, 8)]
    [InlineData("1x0x4", "1x2x2", "0x0x0", "1x2x2", 1, 8)]
    [InlineData("1x4x4", "1x2x2", "0x0x0", "1x2x2", 0, 8)]
    [InlineData("1x4x4", "1x0x2", "0x0x0", "1x2x2", 1, 8)]
    [InlineData("2x4x4", "1x2x2", "1x0x0", "1x2x2", 1, 8)]
    [InlineData("2x4x4", "2x2x2", "0x0x0", "1x2x2", 1, 8)]
    public void Impossible_sizes_are_refused(string map, string window, string shift, string table, int heads, int headDim)
    {
        WindowGeometry geometry = WindowGeometry.Parse(map, window, shift, table);
        Assert.Throws<ArgumentOutOfRangeException>(() => WindowAttention.Forward(
            null, null, null, null, 1, heads, headDim, geometry.Map, geometry.Window, geometry.Shift, geometry.Table));
    }

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
        private readonly int _batch, _heads, _headDim;
        private readonly WindowGeometry _geometry;

        public Case(int batch, int heads, int headDim, WindowGeometry geometry, double spread = 1.5)
        {
            (_batch, _heads, _headDim, _geometry) = (batch, heads, headDim, geometry);
            Random random = new(geometry.Window.Count * 1000 + geometry.Shift.Width);
            float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 2 - 1) * spread))];
            Qkv = Values(batch * geometry.Map.Count * 3 * heads * headDim);
            QkvBias = Values(3 * heads * headDim);
            Table = Values(geometry.TableRows * heads);
            DOutput = Values(Qkv.Length / 3);
            Reference = new(geometry, batch, heads, headDim);
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
                WindowAttention.Forward(q, b, t, o, _batch, _heads, _headDim, _geometry.Map, _geometry.Window, _geometry.Shift, _geometry.Table);
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
                    _batch, _heads, _headDim, _geometry.Map, _geometry.Window, _geometry.Shift, _geometry.Table);
            }
            return result;
        }
    }
}
