using System.Numerics;
using System.Runtime.InteropServices;

namespace Lavt.Kernels.Cpu;

/// <summary>A function of one number.</summary>
public interface IUnaryFunction<T>
{
    /// <summary>The value at <paramref name="x"/>.</summary>
    static abstract T Apply(T x);
}

/// <summary>A function of two numbers.</summary>
public interface IBinaryFunction<T>
{
    /// <summary>The value at <paramref name="a"/>, <paramref name="b"/>.</summary>
    static abstract T Apply(T a, T b);
}

/// <summary>
/// The few operations that every other one is defined by, for float and double, on strided operands: plain loops, written
/// to be obviously right. Composed forms and gradient checks stand on them; the fast kernels do the work of the models.
/// </summary>
public static unsafe class Primitive
{
    /// <summary>y[i] = f(x[i]); <paramref name="y"/> is contiguous.</summary>
    public static void Map<T, TFunction>(T* x, in Layout layout, T* y)
        where T : unmanaged
        where TFunction : struct, IUnaryFunction<T>
    {
        Walker at = new(layout);
        for (long i = layout.Count; i > 0; i--, at.Next()) *y++ = TFunction.Apply(x[at.Offset]);
    }

    /// <summary>y[i] = f(a[i], b[i]); the layouts have equal extents, <paramref name="y"/> is contiguous.</summary>
    public static void Zip<T, TFunction>(T* a, in Layout aLayout, T* b, in Layout bLayout, T* y)
        where T : unmanaged
        where TFunction : struct, IBinaryFunction<T>
    {
        Walker atA = new(aLayout), atB = new(bLayout);
        for (long i = aLayout.Count; i > 0; i--, atA.Next(), atB.Next()) *y++ = TFunction.Apply(a[atA.Offset], b[atB.Offset]);
    }

    /// <summary>Adds each x[i] to y at the place that <paramref name="target"/> gives it (stride 0 along summed axes); <paramref name="y"/> must be cleared before.</summary>
    public static void SumInto<T>(T* x, in Layout layout, T* y, in Layout target)
        where T : unmanaged, INumber<T>
    {
        Walker from = new(layout), to = new(target);
        // Compensated (Kahan) sums would need a second buffer; sums of the composed forms are short or in double.
        for (long i = layout.Count; i > 0; i--, from.Next(), to.Next()) y[to.Offset] += x[from.Offset];
    }

    /// <summary>Copies x to the places in y that <paramref name="target"/> gives.</summary>
    public static void Scatter<T>(T* x, in Layout layout, T* y, in Layout target)
        where T : unmanaged
    {
        Walker from = new(layout), to = new(target);
        for (long i = layout.Count; i > 0; i--, from.Next(), to.Next()) y[to.Offset] = x[from.Offset];
    }

    /// <summary>y[r] = max over the last axis of the contiguous x [rows, columns].</summary>
    public static void MaxRows<T>(T* x, long rows, long columns, T* y)
        where T : unmanaged, INumber<T>
    {
        for (long r = 0; r < rows; r++, x += columns)
        {
            T max = x[0];
            for (long c = 1; c < columns; c++) max = T.Max(max, x[c]);
            y[r] = max;
        }
    }

    /// <summary>The largest value around each element of a map [batch, height, width, channels], and where in x it stands.</summary>
    public static void MaxPool<T>(T* x, int batch, int height, int width, int channels, int size, T* y, long* winners)
        where T : unmanaged, INumber<T>
    {
        int reach = size / 2;
        for (int b = 0; b < batch; b++)
            for (int row = 0; row < height; row++)
                for (int column = 0; column < width; column++)
                    for (int c = 0; c < channels; c++)
                    {
                        long best = -1;
                        for (int v = Math.Max(0, row - reach); v <= Math.Min(height - 1, row + reach); v++)
                            for (int u = Math.Max(0, column - reach); u <= Math.Min(width - 1, column + reach); u++)
                            {
                                long at = (((long)b * height + v) * width + u) * channels + c;
                                if (best < 0 || x[at] > x[best]) best = at;
                            }
                        *y++ = x[best];
                        *winners++ = best;
                    }
    }

    /// <summary>y[places[i]] += x[i].</summary>
    public static void AddAt<T>(T* x, long* places, T* y, long count)
        where T : unmanaged, INumber<T>
    {
        for (long i = 0; i < count; i++) y[places[i]] += x[i];
    }

    /// <summary>C[m, n] = A[m, k] · B[k, n], contiguous C, any strides of A and B.</summary>
    public static void MatMul<T>(int m, int n, int k, T* a, long aRow, long aColumn, T* b, long bRow, long bColumn, T* c)
        where T : unmanaged, INumber<T>
    {
        // One row of B after the other: the inner loop runs along memory wherever B is row-major.
        for (int i = 0; i < m; i++, c += n)
        {
            new Span<T>(c, n).Clear();
            for (int p = 0; p < k; p++)
            {
                T factor = a[i * aRow + p * aColumn];
                T* row = b + p * bRow;
                if (bColumn == 1) AddScaled(new ReadOnlySpan<T>(row, n), factor, new Span<T>(c, n));
                else for (int j = 0; j < n; j++) c[j] += factor * row[j * bColumn];
            }
        }
    }

    /// <summary>y += factor · x.</summary>
    private static void AddScaled<T>(ReadOnlySpan<T> x, T factor, Span<T> y)
        where T : unmanaged, INumber<T>
    {
        ReadOnlySpan<Vector<T>> from = MemoryMarshal.Cast<T, Vector<T>>(x);
        Span<Vector<T>> to = MemoryMarshal.Cast<T, Vector<T>>(y);
        Vector<T> factors = new(factor);
        for (int i = 0; i < from.Length; i++) to[i] += factors * from[i];
        for (int i = from.Length * Vector<T>.Count; i < x.Length; i++) y[i] += factor * x[i];
    }

    /// <summary>Walks a layout in row-major order.</summary>
    private struct Walker(in Layout layout)
    {
        private readonly Layout _layout = layout;
        private Layout.Axes _at;

        public long Offset { get; private set; }

        public void Next()
        {
            for (int axis = _layout.Rank - 1; axis >= 0; axis--)
            {
                Offset += _layout.Strides[axis];
                if (++_at[axis] < _layout.Extents[axis]) return;
                Offset -= _at[axis] * _layout.Strides[axis];
                _at[axis] = 0;
            }
        }
    }
}
