namespace Lavt.Kernels.Cpu;

/// <summary>
/// Operations that treat every float32 element alike. Outputs may be the very arrays that are read, but must not overlap
/// them otherwise.
/// </summary>
public static unsafe partial class Elementwise
{
    private const int FloatsPerPiece = 16384;

    /// <summary>y = a + b.</summary>
    public static void Add(float* a, float* b, float* y, long n) => Binary<Sum>(a, b, y, n);

    /// <summary>y += x.</summary>
    public static void AddTo(float* y, float* x, long n) => Binary<Sum>(y, x, y, n);

    /// <summary>y = a · b.</summary>
    public static void Multiply(float* a, float* b, float* y, long n) => Binary<Product>(a, b, y, n);

    /// <summary>y = s · x.</summary>
    public static void Scale(float* x, float s, float* y, long n)
    {
        ScaleBody body = new() { X = x, Factor = s, Y = y, Count = n };
        SimdLoop.For(SimdLoop.Pieces(n, FloatsPerPiece), body);
    }

    /// <summary>The gradients of a · b: da = dy · b and db = dy · a. Either may be null, or be <paramref name="dy"/> itself if the other is null.</summary>
    public static void MultiplyBackward(float* a, float* b, float* dy, float* da, float* db, long n)
    {
        if (da is not null) Multiply(dy, b, da, n);
        if (db is not null) Multiply(dy, a, db, n);
    }

    /// <summary>
    /// The language gate of LAVT (Yang et al., CVPR 2022, eq. 7): y = x + t · r. Its gradient is dy for x and that of
    /// <see cref="MultiplyBackward"/> for t and r.
    /// </summary>
    public static void Gate(float* t, float* r, float* x, float* y, long n)
    {
        GateBody body = new() { T = t, R = r, X = x, Y = y, Count = n };
        SimdLoop.For(SimdLoop.Pieces(n, FloatsPerPiece), body);
    }

    /// <summary>y = f(x).</summary>
    internal static void Forward<TOp>(float* x, float* y, long n)
        where TOp : struct, IUnaryOp
    {
        ForwardBody<TOp> body = new() { X = x, Y = y, Count = n };
        SimdLoop.For(SimdLoop.Pieces(n, FloatsPerPiece), body);
    }

    /// <summary>dx = dy · f′. What the derivative of <typeparamref name="TOp"/> does not read (input or output) may be null.</summary>
    internal static void Backward<TOp>(float* x, float* y, float* dy, float* dx, long n)
        where TOp : struct, IUnaryOp
    {
        BackwardBody<TOp> body = new()
        {
            X = TOp.DerivativeReadsInput ? x : dy,
            Y = TOp.DerivativeReadsOutput ? y : dy,
            Dy = dy,
            Dx = dx,
            Count = n,
        };
        SimdLoop.For(SimdLoop.Pieces(n, FloatsPerPiece), body);
    }

    private static void Binary<TOp>(float* a, float* b, float* y, long n)
        where TOp : struct, IBinaryOp
    {
        BinaryBody<TOp> body = new() { A = a, B = b, Y = y, Count = n };
        SimdLoop.For(SimdLoop.Pieces(n, FloatsPerPiece), body);
    }
}
