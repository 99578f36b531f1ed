namespace Lavt.Imaging;

/// <summary>
/// For one axis of a resize: which source positions each target position reads, and their weights in fixed point
/// (precompute_coeffs and normalize_coeffs_8bpc of Pillow's Resample.c, with the triangle filter).
/// </summary>
internal sealed class ResampleTable
{
    /// <summary>Bits behind the point of a weight: 32 less 8 for the pixel and 2 for the sum.</summary>
    public const int FractionBits = 22;

    private int _from;
    private int _to;
    private int _taps;
    private int[] _weights = [];
    private int[] _first = [];
    private int[] _count = [];

    /// <summary>The first source position of a target position.</summary>
    public int First(int position) => _first[position];

    /// <summary>The weights of a target position, one for each source position from <see cref="First"/> on.</summary>
    public ReadOnlySpan<int> Weights(int position) => _weights.AsSpan(position * _taps, _count[position]);

    /// <summary>Fills the table for a resize from one length to another; does nothing if it is that already.</summary>
    public void Prepare(int from, int to)
    {
        if (from == _from && to == _to) return;
        double scale = (double)from / to;
        double support = Math.Max(scale, 1.0);
        _taps = (int)Math.Ceiling(support) * 2 + 1;
        if (_weights.Length < to * _taps) _weights = new int[to * _taps];
        if (_first.Length < to) (_first, _count) = (new int[to], new int[to]);
        double[] exact = new double[_taps];
        for (int i = 0; i < to; i++) FillPosition(i, from, scale, support, exact);
        (_from, _to) = (from, to);
    }

    private void FillPosition(int position, int from, double scale, double support, double[] exact)
    {
        double center = (position + 0.5) * scale, sum = 0, narrow = 1.0 / support;
        int first = Math.Max(0, (int)(center - support + 0.5));
        int count = Math.Min(from, (int)(center + support + 0.5)) - first;
        for (int i = 0; i < count; i++)
        {
            double distance = Math.Abs((i + first - center + 0.5) * narrow);
            exact[i] = distance < 1.0 ? 1.0 - distance : 0.0;
            sum += exact[i];
        }
        Span<int> weights = _weights.AsSpan(position * _taps, count);
        for (int i = 0; i < count; i++)
        {
            double weight = sum != 0 ? exact[i] / sum : exact[i];
            weights[i] = (int)(0.5 + weight * (1 << FractionBits));
        }
        (_first[position], _count[position]) = (first, count);
    }
}
