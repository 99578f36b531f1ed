using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>3x3 convolutions and their gradients against plain loops in double precision.</summary>
public sealed unsafe class Conv3x3Tests
{
    /// <summary>Batch, height, width, input channels, output channels.</summary>
    public static TheoryData<int, int, int, int, int> Sizes => new()
    {
        { 1, 1, 1, 1, 1 },
        { 2, 1, 1, 5, 33 },
        { 1, 7, 1, 3, 4 },
        { 1, 1, 9, 4, 3 },
        { 1, 2, 2, 16, 32 },
        { 3, 5, 7, 8, 31 },
        { 2, 13, 12, 40, 17 },
        { 1, 15, 15, 33, 64 },
        { 1, 4, 26, 180, 40 },
        { 1, 3, 700, 2, 9 },
        { 1, 50, 24, 6, 20 },
        { 0, 3, 3, 2, 2 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Forward_equals_double_loops(int batch, int height, int width, int cin, int cout)
    {
        using Case convolution = new(batch, height, width, cin, cout);
        Conv3x3.Forward(convolution.X, batch, height, width, cin, convolution.Weight, cout, convolution.Y, default);
        convolution.AssertForward(default);
        using PackedConv packed = PackedConv.Pack(convolution.Weight, cin, cout);
        Assert.Equal((cin, cout), (packed.InputChannels, packed.OutputChannels));
        Span<float> y = convolution.YSpan;
        y.Fill(float.NaN);
        Conv3x3.Forward(convolution.X, batch, height, width, packed, convolution.Y, default);
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
        using Case convolution = new(2, 6, 15, 35, 45);
        Epilogue epilogue = convolution.Epilogue(activation, residual, accumulate);
        Conv3x3.Forward(convolution.X, 2, 6, 15, 35, convolution.Weight, 45, convolution.Y, epilogue);
        convolution.AssertForward(epilogue);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Gradient_of_the_data_equals_double_loops(int batch, int height, int width, int cin, int cout)
    {
        using Case convolution = new(batch, height, width, cin, cout);
        using GuardedArray<float> dx = GuardedArray<float>.Random(new Random(4), batch * height * width * cin);
        Conv3x3.BackwardData(convolution.Y, batch, height, width, cin, convolution.Weight, cout, dx.Pointer);
        double[] expected = new double[dx.Span.Length];
        double scale = 4e-6 * (1 + Math.Sqrt(cout));
        convolution.ForEachTap((x, y, w) =>
        {
            for (int o = 0; o < cout; o++)
                for (int c = 0; c < cin; c++)
                    expected[x + c] += (double)convolution.Y[y + o] * convolution.Weight[(((o * cin) + c) * 9) + w];
        });
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], dx.Pointer[i], scale);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Gradient_of_the_weight_equals_double_loops(int batch, int height, int width, int cin, int cout)
    {
        using Case convolution = new(batch, height, width, cin, cout);
        using GuardedArray<float> dWeight = GuardedArray<float>.Random(new Random(4), cout * cin * 9);
        float[] old = dWeight.Span.ToArray();
        double[] expected = new double[old.Length];
        convolution.ForEachTap((x, y, w) =>
        {
            for (int o = 0; o < cout; o++)
                for (int c = 0; c < cin; c++)
                    expected[(((o * cin) + c) * 9) + w] += (double)convolution.Y[y + o] * convolution.X[x + c];
        });
        double scale = 2e-6 * (1 + Math.Sqrt(batch * height * width));
        foreach (bool accumulate in new[] { false, true })
        {
            old.CopyTo(dWeight.Span);
            Conv3x3.BackwardWeight(convolution.X, convolution.Y, batch, height, width, cin, cout, dWeight.Pointer, accumulate);
            for (int i = 0; i < old.Length; i++) Assert.Equal(expected[i] + (accumulate ? old[i] : 0), dWeight.Pointer[i], scale);
        }
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_workers()
    {
        const int Batch = 2, Height = 30, Width = 40, Inputs = 48, Outputs = 70;
        using Case convolution = new(Batch, Height, Width, Inputs, Outputs);
        using GuardedArray<float> dWeight = GuardedArray<float>.Random(new Random(4), Outputs * Inputs * 9), y = GuardedArray<float>.Random(new Random(5), Batch * Height * Width * Outputs);
        float[]? expectedY = null, expectedGradient = null;
        foreach (int count in new[] { 1, 2, 3, 5 })
        {
            using Workers workers = new(count);
            Workers.Use(workers);
            try
            {
                Conv3x3.Forward(convolution.X, Batch, Height, Width, Inputs, convolution.Weight, Outputs, y.Pointer, default);
                Conv3x3.BackwardWeight(convolution.X, convolution.Y, Batch, Height, Width, Inputs, Outputs, dWeight.Pointer, accumulate: false);
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

    /// <summary>A convolution with random operands.</summary>
    private sealed class Case : IDisposable
    {
        private readonly int _batch, _height, _width, _cin, _cout;
        private readonly float[] _old;
        private readonly GuardedArray<float> _x, _weight, _y, _bias, _residual;

        public Case(int batch, int height, int width, int cin, int cout)
        {
            (_batch, _height, _width, _cin, _cout) = (batch, height, width, cin, cout);
            Random random = new(17);
            _x = GuardedArray<float>.Random(random, batch * height * width * cin);
            _weight = GuardedArray<float>.Random(random, cout * cin * 9);
            _y = GuardedArray<float>.Random(random, batch * height * width * cout);
            _residual = GuardedArray<float>.Random(random, batch * height * width * cout);
            _bias = GuardedArray<float>.Random(random, cout);
            _old = _y.Span.ToArray();
        }

        public delegate void Tap(int x, int y, int weight);

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
            for (int b = 0; b < _batch; b++)
                for (int i = 0; i < _height; i++)
                    for (int j = 0; j < _width; j++)
                        for (int ky = Math.Max(0, 1 - i); ky < Math.Min(3, _height + 1 - i); ky++)
                            for (int kx = Math.Max(0, 1 - j); kx < Math.Min(3, _width + 1 - j); kx++)
                                tap(((((b * _height) + i + ky - 1) * _width) + j + kx - 1) * _cin, ((((b * _height) + i) * _width) + j) * _cout, (ky * 3) + kx);
        }

        public void AssertForward(Epilogue epilogue)
        {
            double[] expected = new double[_old.Length];
            ForEachTap((x, y, w) =>
            {
                for (int o = 0; o < _cout; o++)
                    for (int c = 0; c < _cin; c++)
                        expected[y + o] += (double)X[x + c] * Weight[(((o * _cin) + c) * 9) + w];
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
