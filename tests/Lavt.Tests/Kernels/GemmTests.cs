using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>Matrix products against plain loops in double precision.</summary>
public sealed unsafe class GemmTests
{
    /// <summary>How A, B and C lie in memory.</summary>
    public enum Layout
    {
        /// <summary>All row by row: the gradient of a linear layer's input.</summary>
        Rows,

        /// <summary>B stored [n, k]: a linear layer.</summary>
        TransposedB,

        /// <summary>A stored [k, m]: the gradient of a linear layer's weight.</summary>
        TransposedA,

        /// <summary>Both, in arrays with room between the rows.</summary>
        TransposedPadded,

        /// <summary>No two elements adjacent.</summary>
        Scattered,
    }

    public static TheoryData<int, int, int> Sizes => new()
    {
        { 1, 1, 1 },
        { 1, 33, 7 },
        { 2, 64, 513 },
        { 3, 31, 16 },
        { 5, 8, 1 },
        { 12, 32, 128 },
        { 13, 47, 129 },
        { 25, 96, 600 },
        { 37, 130, 65 },
        { 120, 16, 300 },
        { 241, 70, 40 },
        { 1009, 33, 17 },
        { 131, 2, 517 },
        { 64, 1, 40 },
        { 67, 2, 5000 },
        { 7, 5, 5000 },
        { 0, 4, 4 },
        { 4, 0, 4 },
        { 6, 35, 0 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Product_equals_double_loops_in_every_layout(int m, int n, int k)
    {
        foreach (Layout layout in Enum.GetValues<Layout>())
        {
            using Case product = new(m, n, k, layout, 7);
            product.Run(default);
            product.AssertEqual(default);
        }
    }

    [Theory]
    [InlineData(37, 75, 90)]
    [InlineData(67, 2, 70)]
    [InlineData(4, 64, 700)]
    [InlineData(3, 5, 5000)]
    [InlineData(5, 6, 0)]
    public void Every_epilogue_equals_double_loops(int m, int n, int k)
    {
        foreach (Activation activation in Enum.GetValues<Activation>())
        {
            for (int options = 0; options < 16; options++)
            {
                using Case product = new(m, n, k, Layout.TransposedB, 11);
                Epilogue epilogue = product.Epilogue(activation, (options & 1) != 0, (options & 2) != 0, (options & 4) != 0, (options & 8) != 0);
                product.Run(epilogue);
                product.AssertEqual(epilogue);
            }
        }
    }

    [Theory]
    [InlineData(Activation.None)]
    [InlineData(Activation.Gelu)]
    public void Residual_may_be_the_result_itself(Activation activation)
    {
        using Case product = new(50, 64, 1100, Layout.TransposedB, 3);
        Epilogue epilogue = product.Epilogue(activation, bias: true, residual: false, accumulate: true, preActivation: false);
        Epilogue aliased = epilogue with { Accumulate = false, Residual = product.C, ResidualStride = product.CStride };
        product.Run(aliased);
        product.AssertEqual(epilogue);
    }

    [Fact]
    public void Packed_operand_gives_the_same_bits()
    {
        foreach ((int m, int n, int k) in new[] { (100, 96, 200), (17, 45, 1300), (1, 33, 64), (130, 2, 75) })
        {
            using Case product = new(m, n, k, Layout.TransposedB, 5);
            Epilogue epilogue = product.Epilogue(Activation.Gelu, bias: true, residual: true, accumulate: false, preActivation: false);
            product.Run(epilogue);
            float[] direct = product.Result();
            using PackedMatrix packed = PackedMatrix.Pack(product.B, k, n);
            Gemm.Run(m, n, k, product.A, packed, product.C, product.CStride, epilogue);
            Assert.Equal(direct, product.Result());
        }
    }

    [Theory]
    [InlineData(13, 1, 1)]
    [InlineData(17, 33, 511)]
    [InlineData(20, 200, 1537)]
    [InlineData(23, 1100, 7)]
    [InlineData(24, 64, 1024)]
    public void A_sentence_of_words_times_packed_weights_equals_double_loops(int m, int n, int k)
    {
        for (int options = 0; options < 16; options++)
        {
            using Case product = new(m, n, k, Layout.TransposedB, 17);
            Activation activation = options % 2 == 0 ? Activation.None : Activation.Gelu;
            Epilogue epilogue = product.Epilogue(activation, (options & 2) != 0, (options & 4) != 0, (options & 8) != 0, preActivation: false);
            using PackedMatrix packed = PackedMatrix.Pack(product.B, k, n);
            Gemm.Run(m, n, k, product.A, packed, product.C, product.CStride, epilogue);
            product.AssertEqual(epilogue);
        }
    }

    [Fact]
    public void Words_give_the_same_bits_alone_and_with_others()
    {
        const int One = 20, Both = 40, N = 96, K = 1300;
        using Case product = new(Both, N, K, Layout.TransposedB, 19);
        using PackedMatrix packed = PackedMatrix.Pack(product.B, K, N);
        Gemm.Run(Both, N, K, product.A, packed, product.C, product.CStride, default);
        float[] together = product.Result();
        Gemm.Run(One, N, K, product.A, packed, product.C, product.CStride, default);
        Assert.Equal(together, product.Result());
    }

    [Fact]
    public void Packed_operand_of_another_size_is_refused()
    {
        using Case product = new(4, 8, 16, Layout.Rows, 5);
        using PackedMatrix packed = PackedMatrix.Pack(product.B, 16, 8);
        ArgumentException error = Assert.Throws<ArgumentException>(
            () => Gemm.Run(4, 8, 15, product.A, packed, product.C, product.CStride, default));
        Assert.Contains("packed as 16 x 8", error.Message, StringComparison.Ordinal);
        packed.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Gemm.Run(4, 8, 16, product.A, packed, product.C, product.CStride, default));
    }

    [Theory]
    [InlineData(300, 200, 700, Layout.TransposedB)]
    [InlineData(300, 1, 700, Layout.TransposedB)]
    [InlineData(130, 70, 9000, Layout.TransposedA)]
    [InlineData(2, 40, 9000, Layout.TransposedA)]
    public void Bits_do_not_depend_on_the_number_of_workers(int m, int n, int k, Layout layout)
    {
        using Case product = new(m, n, k, layout, 9);
        Epilogue epilogue = product.Epilogue(Activation.Tanh, bias: true, residual: true, accumulate: false, preActivation: true);
        float[]? expected = null;
        foreach (int count in new[] { 1, 2, 3, 5 })
        {
            using Workers workers = new(count);
            Workers.Use(workers);
            try
            {
                product.Run(epilogue);
            }
            finally
            {
                Workers.Use(null);
            }
            expected ??= product.Result();
            Assert.Equal(expected, product.Result());
        }
    }

    [Fact]
    public void Long_sums_stay_accurate()
    {
        using Case product = new(8, 32, 30000, Layout.TransposedA, 13);
        product.Run(default);
        Assert.InRange(product.RelativeError(default), 0, 4e-7);
    }

    [Theory]
    [InlineData(0, 5)]
    [InlineData(1, 1)]
    [InlineData(3, 16)]
    [InlineData(17, 83)]
    [InlineData(2000, 33)]
    [InlineData(30000, 7)]
    public void Column_sums_equal_double_loops(int rows, int columns)
    {
        using GuardedArray<float> x = GuardedArray<float>.Random(new Random(1), rows * columns), y = GuardedArray<float>.Random(new Random(2), columns);
        float[] old = y.Span.ToArray();
        foreach (bool accumulate in new[] { false, true })
        {
            old.CopyTo(y.Span);
            ColumnSum.Run(x.Pointer, rows, columns, y.Pointer, accumulate);
            for (int j = 0; j < columns; j++)
            {
                double sum = accumulate ? old[j] : 0;
                for (int i = 0; i < rows; i++) sum += x.Pointer[(i * columns) + j];
                Assert.Equal(sum, y.Pointer[j], 1e-6 * (1 + Math.Sqrt(rows)));
            }
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(16, 16)]
    [InlineData(17, 35)]
    [InlineData(50, 3)]
    [InlineData(3, 50)]
    [InlineData(33, 64)]
    public void Transpose_moves_every_element(int rows, int columns)
    {
        int sourceStride = columns + 3, destinationStride = rows + 5;
        float[] source = new float[rows * sourceStride], destination = new float[columns * destinationStride];
        for (int i = 0; i < source.Length; i++) source[i] = i;
        Array.Fill(destination, -1);
        fixed (float* from = source, to = destination) Transpose.Run(from, sourceStride, to, destinationStride, rows, columns);
        for (int c = 0; c < columns; c++)
            for (int r = 0; r < destinationStride; r++)
                Assert.Equal(r < rows ? source[(r * sourceStride) + c] : -1, destination[(c * destinationStride) + r]);
    }

    /// <summary>An activation in double precision.</summary>
    internal static double Activate(Activation activation, double x) => activation switch
    {
        Activation.Relu => Math.Max(x, 0),
        Activation.Gelu => x * NormalDistribution(x),
        Activation.Tanh => Math.Tanh(x),
        Activation.Sigmoid => 1 / (1 + Math.Exp(-x)),
        _ => x,
    };

    /// <summary>Φ by Taylor's series around 0 (or its limits), exact to double precision for the arguments met here.</summary>
    private static double NormalDistribution(double x)
    {
        if (Math.Abs(x) > 9) return x > 0 ? 1 : 0;
        double term = x, sum = x;
        for (int i = 1; i < 200; i++)
        {
            term *= x * x / ((2 * i) + 1);
            sum += term;
        }
        return 0.5 + (sum * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI));
    }

    /// <summary>One product with random operands, surrounded by numbers that must not change.</summary>
    private sealed class Case : IDisposable
    {
        private const float Untouched = 1234.5f;

        private readonly int _m, _n, _k;
        private readonly float[] _old;
        private readonly GuardedArray<float> _a, _b, _c, _bias, _residual, _pre;

        public Case(int m, int n, int k, Layout layout, int seed)
        {
            (_m, _n, _k) = (m, n, k);
            int gap = layout == Layout.TransposedPadded ? 5 : 0;
            CStride = n + 3;
            Random random = new(seed);
            _a = GuardedArray<float>.Random(random, 3 * (m + gap) * (k + gap));
            _b = GuardedArray<float>.Random(random, 3 * (k + gap) * (n + gap));
            _c = GuardedArray<float>.Random(random, m * CStride);
            _bias = GuardedArray<float>.Random(random, n);
            _residual = GuardedArray<float>.Random(random, m * (n + 1));
            _pre = GuardedArray<float>.Random(random, m * CStride);
            A = layout switch
            {
                Layout.Rows or Layout.TransposedB => new Matrix(_a.Pointer, k, 1),
                Layout.Scattered => new Matrix(_a.Pointer, 3 * k, 3),
                _ => new Matrix(_a.Pointer, 1, m + gap),
            };
            B = layout switch
            {
                Layout.Rows or Layout.TransposedA => new Matrix(_b.Pointer, n, 1),
                Layout.Scattered => new Matrix(_b.Pointer, 2, 2 * k),
                _ => new Matrix(_b.Pointer, 1, k + gap),
            };
            for (int i = 0; i < m; i++)
                for (int j = n; j < CStride; j++)
                    C[(i * CStride) + j] = _pre.Pointer[(i * CStride) + j] = Untouched;
            _old = Result();
        }

        public Matrix A { get; }

        public Matrix B { get; }

        public float* C => _c.Pointer;

        public int CStride { get; }

        public Epilogue Epilogue(Activation activation, bool bias, bool residual, bool accumulate, bool preActivation) => new()
        {
            Activation = activation,
            Bias = bias ? _bias.Pointer : null,
            Residual = residual ? _residual.Pointer : null,
            ResidualStride = _n + 1,
            Accumulate = accumulate,
            PreActivation = preActivation ? _pre.Pointer : null,
        };

        public float[] Result() => new Span<float>(C, _m * CStride).ToArray();

        public void Run(Epilogue epilogue)
        {
            _old.CopyTo(new Span<float>(C, _old.Length));
            Gemm.Run(_m, _n, _k, A, B, C, CStride, in epilogue);
        }

        public void AssertEqual(Epilogue epilogue)
        {
            float[] result = Result();
            for (int i = 0; i < _m; i++)
            {
                for (int j = 0; j < _n; j++)
                {
                    double sum = Sum(i, j, epilogue.Bias, out double magnitude);
                    double tolerance = 4e-6 * (1 + magnitude);
                    if (epilogue.PreActivation != null) Assert.Equal(sum, epilogue.PreActivation[(i * CStride) + j], tolerance);
                    double y = Activate(epilogue.Activation, sum);
                    if (epilogue.Residual != null) y += epilogue.Residual[(i * epilogue.ResidualStride) + j];
                    if (epilogue.Accumulate) y += _old[(i * CStride) + j];
                    Assert.Equal(y, result[(i * CStride) + j], tolerance);
                }
                for (int j = _n; j < CStride; j++)
                {
                    Assert.Equal(Untouched, result[(i * CStride) + j]);
                    Assert.Equal(Untouched, _pre.Pointer[(i * CStride) + j]);
                }
            }
        }

        /// <summary>‖C − exact‖ / ‖exact‖ of a product without epilogue.</summary>
        public double RelativeError(Epilogue epilogue)
        {
            float[] result = Result();
            double error = 0, norm = 0;
            for (int i = 0; i < _m; i++)
            {
                for (int j = 0; j < _n; j++)
                {
                    double exact = Sum(i, j, epilogue.Bias, out _);
                    error += Math.Pow(result[(i * CStride) + j] - exact, 2);
                    norm += exact * exact;
                }
            }
            return Math.Sqrt(error / norm);
        }

        public void Dispose()
        {
            foreach (GuardedArray<float> array in new[] { _a, _b, _c, _bias, _residual, _pre }) array.Dispose();
        }

        private double Sum(int i, int j, float* bias, out double magnitude)
        {
            double sum = 0;
            magnitude = 0;
            for (int p = 0; p < _k; p++)
            {
                double product = (double)*A.At(i, p) * *B.At(p, j);
                sum += product;
                magnitude += product * product;
            }
            magnitude = Math.Sqrt(magnitude);
            return bias == null ? sum : sum + bias[j];
        }
    }
}
