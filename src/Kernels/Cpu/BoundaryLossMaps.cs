namespace Lavt.Kernels.Cpu;

/// <summary>The maps that the boundary loss keeps of one sample, for each of the two classes.</summary>
internal enum BoundaryMap
{
    /// <summary>1 − p, p the class's probability; that is the other class's probability.</summary>
    Outside,

    /// <summary>How much larger the largest 3x3 neighbour of <see cref="Outside"/> is; on the way back the gradient of <see cref="Outside"/>.</summary>
    Edge,

    /// <summary>Which neighbour that was.</summary>
    EdgeCode,

    /// <summary>The largest 5x5 neighbour of <see cref="Edge"/>; on the way back the gradient of <see cref="Edge"/>.</summary>
    Near,

    /// <summary>Which neighbour that was.</summary>
    NearCode,

    /// <summary>1 − t, t the one-hot target.</summary>
    TrueOutside,

    /// <summary><see cref="Edge"/> of the target.</summary>
    TrueEdge,

    /// <summary><see cref="Near"/> of the target.</summary>
    NearTrue,
}

/// <summary>Where the maps of one sample lie: planes with a border of two cells, as <see cref="MaxPool"/> wants them.</summary>
internal readonly unsafe struct BoundaryLossMaps(float* memory, int height, int width)
{
    private const int Border = 2;
    private const int WidestVector = 16;
    private const int Kinds = (int)BoundaryMap.NearTrue + 1;

    /// <summary>Rows of pixels.</summary>
    public int Height => height;

    /// <summary>Columns of pixels.</summary>
    public int Width => width;

    /// <summary>The distance of neighbouring rows in memory.</summary>
    public int Stride => StrideOf(width);

    /// <summary>The floats that the maps of a sample take.</summary>
    public static long Count(int height, int width) => 2L * Kinds * (height + 2 * Border) * StrideOf(width);

    /// <summary>The first pixel of a row; −2 … height + 1.</summary>
    public float* Row(BoundaryMap kind, int pixelClass, int row) =>
        memory + (((int)kind * 2L + pixelClass) * (height + 2 * Border) + row + Border) * Stride + Border;

    /// <summary>Sets the border to what no pixel is: −∞, and −1 for codes.</summary>
    public void SetBorders()
    {
        for (int kind = 0; kind < Kinds; kind++)
            for (int pixelClass = 0; pixelClass < 2; pixelClass++)
                for (int row = -Border; row < height + Border; row++)
                {
                    if (row >= 0 && row < height) SetSides((BoundaryMap)kind, pixelClass, row);
                    else new Span<float>(Row((BoundaryMap)kind, pixelClass, row) - Border, Stride).Fill(Outer((BoundaryMap)kind));
                }
    }

    /// <summary>Sets the border left and right of a row; to be done after writing whole vectors to it.</summary>
    public void SetSides(BoundaryMap kind, int pixelClass, int row)
    {
        float* first = Row(kind, pixelClass, row);
        for (int i = 0; i < Border; i++) first[-1 - i] = first[width + i] = Outer(kind);
    }

    private static float Outer(BoundaryMap kind) => kind is BoundaryMap.EdgeCode or BoundaryMap.NearCode ? -1f : float.NegativeInfinity;

    private static int StrideOf(int width) => (width + WidestVector - 1) / WidestVector * WidestVector + WidestVector;
}
