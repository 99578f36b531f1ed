using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>One comparison with a golden number.</summary>
/// <param name="File">The golden file.</param>
/// <param name="Item">What was compared.</param>
/// <param name="Passed">Whether it was equal within the bar.</param>
/// <param name="Detail">The error and its bar, or what went wrong.</param>
public sealed record GoldenResult(string File, string Item, bool Passed, string Detail);

/// <summary>Collects comparisons with golden numbers.</summary>
public sealed class GoldenReport
{
    /// <summary>The bar of float32, which cannot do better in a sum of a few hundred terms.</summary>
    public const double Float32Bar = 2e-6;

    /// <summary>How much of PyTorch's own float32 error is allowed.</summary>
    public const double AllowedErrors = 3;

    private const double ZeroBar = 1e-3;

    private readonly List<GoldenResult> _results = [];
    private readonly List<string> _skipped = [];

    /// <summary>No bar is stricter than this; a larger one for products of rounded operands.</summary>
    public double StrictestBar { get; init; } = Float32Bar;

    /// <summary>All comparisons made.</summary>
    public IReadOnlyList<GoldenResult> Results => _results;

    /// <summary>Files that this build has nothing to compare with, and why.</summary>
    public IReadOnlyList<string> Skipped => _skipped;

    /// <summary>The comparisons that failed.</summary>
    public IEnumerable<GoldenResult> Failures => _results.Where(r => !r.Passed);

    /// <summary>Records a plain comparison.</summary>
    public void Check(string file, string item, bool passed, string detail) => _results.Add(new GoldenResult(file, item, passed, detail));

    /// <summary>Records that a file cannot be checked.</summary>
    public void Skip(string file, string why) => _skipped.Add($"{file}: {why}");

    /// <summary>Compares two float tensors by the relative error of their norms, ‖actual − expected‖ / ‖expected‖.</summary>
    /// <param name="file">The golden file.</param>
    /// <param name="item">What is compared.</param>
    /// <param name="actual">F32, any layout of memory.</param>
    /// <param name="expected">F32 or F64 of the same shape.</param>
    /// <param name="float32Error">PyTorch's float32 error; NaN where the true value is zero.</param>
    public void Compare(string file, string item, Tensor? actual, Tensor expected, double float32Error)
    {
        if (actual is null)
        {
            Check(file, item, false, "no value was computed");
            return;
        }
        if (actual.Shape != expected.Shape)
        {
            Check(file, item, false, $"shape {actual.Shape}, expected {expected.Shape}");
            return;
        }
        double[] a = Values(actual), e = Values(expected);
        if (double.IsNaN(float32Error))
        {
            double largest = a.Length == 0 ? 0 : a.Max(Math.Abs);
            Check(file, item, largest <= ZeroBar, $"largest value {largest:E1} where zero is expected, bar {ZeroBar:E1}");
            return;
        }
        double difference = 0, norm = 0;
        for (int i = 0; i < a.Length; i++)
        {
            difference += (a[i] - e[i]) * (a[i] - e[i]);
            norm += e[i] * e[i];
        }
        double error = norm > 0 ? Math.Sqrt(difference / norm) : Math.Sqrt(difference);
        double bar = Math.Max(AllowedErrors * float32Error, StrictestBar);
        Check(file, item, error <= bar, $"error {error:E1}, bar {bar:E1}");
    }

    private static double[] Values(Tensor tensor) => tensor.DType switch
    {
        DType.F64 => tensor.ToArray<double>(),
        DType.I64 => Array.ConvertAll(tensor.ToArray<long>(), v => (double)v),
        _ => Array.ConvertAll(tensor.ToArray<float>(), v => (double)v),
    };
}
