using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>Convolutions and their gradients against plain loops in double precision.</summary>
public sealed unsafe class ConvolutionTests
{
    /// <summary>Batch, map, kernel, input channels, output channels.</summary>
    public static TheoryData<int, string, string, int, int> Sizes => new()
    {
        { 1, "1x1x1", "1x3x3", 1, 1 },
        { 2, "1x1x1", "1x3x3", 5, 33 },
        { 1, "1x7x1", "1x3x3", 3, 4 },
        { 1, "1x1x9", "1x3x3", 4, 3 },
        { 1, "1x2x2", "1x3x3", 16, 32 },
        { 3, "1x5x7", "1x3x3", 8, 31 },
        { 2, "1x13x12", "1x3x3", 40, 17 },
        { 1, "1x15x15", "1x3x3", 33, 64 },
        { 1, "1x4x26", "1x3x3", 180, 40 },
        { 1, "1x3x700", "1x3x3", 2, 9 },
        { 1, "1x50x24", "1x3x3", 6, 20 },
        { 0, "1x3x3", "1x3x3", 2, 2 },
        { 2, "3x4x5", "1x3x3", 5, 6 },
        { 1, "1x1x1", "3x3x3", 3, 2 },
        { 2, "1x4x5", "3x3x3", 5, 33 },
        { 2, "2x5x3", "3x3x3", 17, 9 },
        { 1, "5x6x13", "3x3x3", 180, 40 },
        { 2, "4x3x5", "3x1x1", 33, 40 },
        { 1, "3x4x26", "3x1x1", 180, 16 },
        { 2, "3x4x5", "1x1x1", 18, 35 },
        { 1, "3x4x5", "1x3x1", 6, 7 },
        { 1, "3x4x5", "1x1x3", 6, 7 },
        { 2, "3x4x5", "3x3x1", 6, 7 },
        { 2, "3x4x5", "3x1x3", 6, 7 },
        { 0, "2x3x3", "3x3x3", 2, 2 },
        { 0, "2x3x3", "1x1x1", 2, 2 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Forward_equals_double_loops(int batch, string map, string kernel, int cin, int cout)
    {
        using Case convolution = new(batch, map, kernel, cin, cout);
        Convolution.Forward(convolution.X, batch, convolution.Map, cin, convolution.Weight, convolution.Kernel, cout, convolution.Y, default);
        convolution.AssertForward(default);
        using PackedConv packed = PackedConv.Pack(convolution.Weight, convolution.Kernel, cin, cout);
        Assert.Equal((convolution.Kernel, cin, cout), (packed.Kernel, packed.InputChannels, packed.OutputChannels));
        Span<float> y = convolution.YSpan;
        y.Fill(float.NaN);
        Convolution.Forward(convolution.X, batch, convolution.Map, packed, convolution.Y, default);
        convolution.AssertForward(default);
    }

    [Theory]
    [InlineData(Activation.None, false, false)]
    [InlineData(Activation.Relu, false, false)]
    [InlineData(Activation.None, true, false)]
    [InlineData(Activation.Gelu, false, true)]
    [InlineData(Activation.Sigmoid, true, true)]
    public void Epilogues_equal_double_loops(Activation activation, bool residual, bool accumulate)
    {
        using Case convolution = new(2, "2x6x15", "3x3x3", 35, 45);
        Epilogue epilogue = convolution.Epilogue(activation, residual, accumulate);
        Convolution.Forward(convolution.X, 2, convolution.Map, 35, convolution.Weight, convolution.Kernel, 45, convolution.Y, epilogue);
        convolution.AssertForward(epilogue);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Gradient_of_the_data_equals_double_loops(int batch, string map, string kernel, int cin, int cout)
    {
        using Case convolution = new(batch, map, kernel, cin, cout);
        using GuardedArray<float> dx = GuardedArray<float>.Random(new Random(4), batch * convolution.Map.Count * cin);
        Convolution.BackwardData(convolution.Y, batch, convolution.Map, cin, convolution.Weight, convolution.Kernel, cout, dx.Pointer);
        double[] expected = new double[dx.Span.Length];
        double scale = 4e-6 * (1 + Math.Sqrt(cout));
        convolution.ForEachTap((x, y, w) =>
        {
            for (int o = 0; o < cout; o++)
                for (int c = 0; c < cin; c++)
                    expected[x + c] += (double)convolution.Y[y + o] * convolution.Weight[(((o * cin) + c) * convolution.Kernel.Count) + w];
        });
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], dx.Pointer[i], scale);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Gradient_of_the_weight_equals_double_loops(int batch, string map, string kernel, int cin, int cout)
    {
        using Case convolution = new(batch, map, kernel, cin, cout);
        using GuardedArray<float> dWeight = GuardedArray<float>.Random(new Random(4), cout * cin * convolution.Kernel.Count);
        float[] old = dWeight.Span.ToArray();
        double[] expected = new double[old.Length];
        convolution.ForEachTap((x, y, w) =>
        {
            for (int o = 0; o < cout; o++)
                for (int c = 0; c < cin; c++)
                    expected[(((o * cin) + c) * convolution.Kernel.Count) + w] += (double)convolution.Y[y + o] * convolution.X[x + c];
        });
        double scale = 2e-6 * (1 + Math.Sqrt(batch * convolution.Map.Count));
        foreach (bool accumulate in new[] { false, true })
        {
            old.CopyTo(dWeight.Span);
            Convolution.BackwardWeight(convolution.X, convolution.Y, batch, convolution.Map, cin, convolution.Kernel, cout, dWeight.Pointer, accumulate);
            for (int i = 0; i < old.Length; i++) Assert.Equal(expected[i] + (accumulate ? old[i] : 0), dWeight.Pointer[i], scale);
        }
    }

    [Theory]
    [InlineData("1x30x40", "1x3x3")]
    [InlineData("3x20x13", "3x3x3")]
    public void Bits_do_not_depend_on_the_number_of_workers(string map, string kernel)
    {
        const int Batch = 2, Inputs = 48, Outputs = 70;
        using Case convolution = new(Batch, map, kernel, Inputs, Outputs);
        using GuardedArray<float> dWeight = GuardedArray<float>.Random(new Random(4), Outputs * Inputs * convolution.Kernel.Count);
        using GuardedArray<float> y = GuardedArray<float>.Random(new Random(5), Batch * convolution.Map.Count * Outputs);
        float[]? expectedY = null, expectedGradient = null;
        foreach (int count in new[] { 1, 2, 3, 5 })
        {
            using Workers workers = new(count);
            Workers.Use(workers);
            try
            {
                Convolution.Forward(convolution.X, Batch, convolution.Map, Inputs, convolution.Weight, convolution.Kernel, Outputs, y.Pointer, default);
                Convolution.BackwardWeight(convolution.X, convolution.Y, Batch, convolution.Map, Inputs, convolution.Kernel, Outputs, dWeight.Pointer, accumulate: false);
            }
            finally
            {
                Workers.Use(null);
            }
            expectedY ??= y.Span.ToArray();
            expectedGradient ??= dWeight.Span.ToArray();
            Assert.Equal(expectedY, y.Span.ToArray());
            Assert.Equal(expectedGradient, dWeight.Span.ToArray());
        }
    }

    [Theory]
    [InlineData("2x2x2", "2x3x3", 1, 1)]
    [InlineData("2x2x2", "3x3x5", 1, 1)]
    [InlineData("2x2x2", "3x3x3", 0, 1)]
    [InlineData("2x2x2", "3x3x3", 1, 0)]
    [InlineData("2x-1x2", "3x3x3", 1, 1)]
    public void Impossible_sizes_are_refused(string map, string kernel, int cin, int cout)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Convolution.Forward(null, 1, Volumes.Parse(map), cin, null, Volumes.Parse(kernel), cout, null, default));
    }

    /// <summary>A convolution with random operands.</summary>
    private sealed class Case : IDisposable
    {
        private readonly int _batch, _cin, _cout;
        private readonly float[] _old;
        private readonly GuardedArray<float> _x, _weight, _y, _bias, _residual;

        public Case(int batch, string map, string kernel, int cin, int cout)
        {
            (_batch, _cin, _cout) = (batch, cin, cout);
            (Map, Kernel) = (Volumes.Parse(map), Volumes.Parse(kernel));
            int pixels = batch * Map.Count;
            Random random = new(17);
            _x = GuardedArray<float>.Random(random, pixels * cin);
            _weight = GuardedArray<float>.Random(random, cout * cin * Kernel.Count);
            _y = GuardedArray<float>.Random(random, pixels * cout);
            _residual = GuardedArray<float>.Random(random, pixels * cout);
            _bias = GuardedArray<float>.Random(random, cout);
            _old = _y.Span.ToArray();
        }

        public delegate void Tap(int x, int y, int weight);

        public Volume Map { get; }

        public Volume Kernel { get; }

        public float* X => _x.Pointer;

        public float* Weight => _weight.Pointer;

        public float* Y => _y.Pointer;

        public Span<float> YSpan => _y.Span;

        public Epilogue Epilogue(Activation activation, bool residual, bool accumulate) => new()
        {
            Activation = activation,
            Bias = _bias.Pointer,
            Residual = residual ? _residual.Pointer : null,
            ResidualStride = _cout,
            Accumulate = accumulate,
        };

        /// <summary>Calls with the offsets of an input pixel, an output pixel and the tap that joins them.</summary>
        public void ForEachTap(Tap tap)
        {
            for (int i = 0; i < _batch * Map.Count; i++)
            {
                int t = i / Map.Plane % Map.Frames, row = i / Map.Width % Map.Height, column = i % Map.Width;
                for (int w = 0; w < Kernel.Count; w++)
                {
                    int dt = (w / Kernel.Plane) - (Kernel.Frames / 2), dy = (w / Kernel.Width % Kernel.Height) - (Kernel.Height / 2);
                    int dx = (w % Kernel.Width) - (Kernel.Width / 2);
                    if (t + dt < 0 || t + dt >= Map.Frames || row + dy < 0 || row + dy >= Map.Height || column + dx < 0 || column + dx >= Map.Width) continue;
                    tap((i + (dt * Map.Plane) + (dy * Map.Width) + dx) * _cin, i * _cout, w);
                }
            }
        }

        public void AssertForward(Epilogue epilogue)
        {
            double[] expected = new double[_old.Length];
            ForEachTap((x, y, w) =>
            {
                for (int o = 0; o < _cout; o++)
                    for (int c = 0; c < _cin; c++)
                        expected[y + o] += (double)X[x + c] * Weight[(((o * _cin) + c) * Kernel.Count) + w];
            });
            double tolerance = 4e-6 * (1 + Math.Sqrt(_cin));
            for (int i = 0; i < expected.Length; i++)
            {
                double y = expected[i] + (epilogue.Bias == null ? 0 : epilogue.Bias[i % _cout]);
                y = GemmTests.Activate(epilogue.Activation, y);
                if (epilogue.Residual != null) y += epilogue.Residual[i];
                if (epilogue.Accumulate) y += _old[i];
                Assert.Equal(y, Y[i], tolerance);
            }
        }

        public void Dispose()
        {
            foreach (GuardedArray<float> array in new[] { _x, _weight, _y, _bias, _residual }) array.Dispose();
        }
    }
}
