using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>The work of <see cref="DiceBoundaryLoss"/> on one sample: parallel loops over blocks of rows, one after the other.</summary>
internal unsafe struct BoundaryLossStages
{
    private const int RowsPerBlock = 8;
    private const int EdgeWindow = 3;
    private const int NearWindow = 5;

    /// <summary>[height, width, 2].</summary>
    public float* Logits;

    /// <summary>[height, width].</summary>
    public byte* Target;

    /// <summary>[height, width, 2].</summary>
    public float* DLogits;

    /// <summary>The maps, with borders set.</summary>
    public BoundaryLossMaps Maps;

    /// <summary>[2, blocks].</summary>
    public DiceBoundaryLoss.BoundarySums* Sums;

    /// <summary>How the Dice loss changes with the probabilities.</summary>
    public DiceLossSums.Slopes Dice;

    /// <summary>How the boundary loss changes with the background's edges.</summary>
    public DiceBoundaryLoss.BoundarySlopes Background;

    /// <summary>How the boundary loss changes with the foreground's edges.</summary>
    public DiceBoundaryLoss.BoundarySlopes Foreground;

    private interface IStage
    {
        static abstract void Row<V>(in BoundaryLossStages work, int row)
            where V : struct, ISimd<V>;
    }

    /// <summary>The number of blocks of rows.</summary>
    public static int Blocks(int height) => SimdLoop.Pieces(height, RowsPerBlock);

    /// <summary>Finds the edges and fills <see cref="Sums"/>.</summary>
    public readonly void Measure()
    {
        Run<FindOutside>();
        Run<FindEdges>();
        Run<FindNeighbourhoods>();
    }

    /// <summary>Fills <see cref="DLogits"/>; to be called after <see cref="Measure"/>.</summary>
    public readonly void Differentiate()
    {
        Run<DifferentiateEdges>();
        Run<DifferentiateLogits>();
    }

    private readonly void Run<TStage>()
        where TStage : struct, IStage => SimdLoop.For(Blocks(Maps.Height), new Loop<TStage>(this));

    private readonly struct Loop<TStage>(BoundaryLossStages work) : ISimdLoopBody
        where TStage : struct, IStage
    {
        private readonly BoundaryLossStages _work = work;

        public void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            if (typeof(TStage) == typeof(FindNeighbourhoods)) _work.Sums[index] = _work.Sums[Blocks(_work.Maps.Height) + index] = default;
            int end = Math.Min(_work.Maps.Height, (index + 1) * RowsPerBlock);
            for (int row = index * RowsPerBlock; row < end; row++) TStage.Row<V>(_work, row);
        }
    }

    private struct FindOutside : IStage
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Row<V>(in BoundaryLossStages work, int row)
            where V : struct, ISimd<V>
        {
            BoundaryLossMaps maps = work.Maps;
            float* background = maps.Row(BoundaryMap.Outside, 0, row), foreground = maps.Row(BoundaryMap.Outside, 1, row);
            float* trueBackground = maps.Row(BoundaryMap.TrueOutside, 0, row), trueForeground = maps.Row(BoundaryMap.TrueOutside, 1, row);
            float* logits = work.Logits + 2L * row * maps.Width;
            byte* target = work.Target + (long)row * maps.Width;
            for (int c = 0; c < maps.Width; c++)
            {
                LossPixel.Probabilities(logits + 2 * c, out double p0, out double p1);
                (background[c], foreground[c]) = ((float)p1, (float)p0);
                (trueBackground[c], trueForeground[c]) = target[c] != 0 ? (1f, 0f) : (0f, 1f);
            }
        }
    }

    private struct FindEdges : IStage
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Row<V>(in BoundaryLossStages work, int row)
            where V : struct, ISimd<V>
        {
            for (int pixelClass = 0; pixelClass < 2; pixelClass++)
            {
                FindEdge<V>(work.Maps, BoundaryMap.Outside, BoundaryMap.Edge, pixelClass, row, work.Maps.Row(BoundaryMap.EdgeCode, pixelClass, row));
                FindEdge<V>(work.Maps, BoundaryMap.TrueOutside, BoundaryMap.TrueEdge, pixelClass, row, null);
                work.Maps.SetSides(BoundaryMap.EdgeCode, pixelClass, row);
            }
        }

        private static void FindEdge<V>(in BoundaryLossMaps maps, BoundaryMap from, BoundaryMap to, int pixelClass, int row, float* code)
            where V : struct, ISimd<V>
        {
            float* outside = maps.Row(from, pixelClass, row), edge = maps.Row(to, pixelClass, row);
            MaxPool.ForwardRow<V>(outside, edge, code, maps.Width, maps.Stride, EdgeWindow);
            for (int c = 0; c < maps.Width; c++) edge[c] -= outside[c];
            maps.SetSides(to, pixelClass, row);
        }
    }

    private struct FindNeighbourhoods : IStage
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Row<V>(in BoundaryLossStages work, int row)
            where V : struct, ISimd<V>
        {
            BoundaryLossMaps maps = work.Maps;
            for (int pixelClass = 0; pixelClass < 2; pixelClass++)
            {
                float* edge = maps.Row(BoundaryMap.Edge, pixelClass, row), near = maps.Row(BoundaryMap.Near, pixelClass, row);
                float* trueEdge = maps.Row(BoundaryMap.TrueEdge, pixelClass, row), nearTrue = maps.Row(BoundaryMap.NearTrue, pixelClass, row);
                MaxPool.ForwardRow<V>(edge, near, maps.Row(BoundaryMap.NearCode, pixelClass, row), maps.Width, maps.Stride, NearWindow);
                MaxPool.ForwardRow<V>(trueEdge, nearTrue, null, maps.Width, maps.Stride, NearWindow);
                maps.SetSides(BoundaryMap.NearCode, pixelClass, row);
                ref DiceBoundaryLoss.BoundarySums sums = ref work.Sums[pixelClass * Blocks(maps.Height) + row / RowsPerBlock];
                for (int c = 0; c < maps.Width; c++) sums.Add(edge[c], near[c], trueEdge[c], nearTrue[c]);
            }
        }
    }

    private struct DifferentiateEdges : IStage
    {
        /// <summary>Puts the gradient of the edges where their neighbourhoods were, which are no longer needed.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Row<V>(in BoundaryLossStages work, int row)
            where V : struct, ISimd<V>
        {
            BoundaryLossMaps maps = work.Maps;
            for (int pixelClass = 0; pixelClass < 2; pixelClass++)
            {
                DiceBoundaryLoss.BoundarySlopes slopes = pixelClass == 0 ? work.Background : work.Foreground;
                float* gradient = maps.Row(BoundaryMap.Near, pixelClass, row), nearTrue = maps.Row(BoundaryMap.NearTrue, pixelClass, row);
                // Max-pooling back is linear: the factor of trueEdge can wait until here.
                MaxPool.BackwardRow<V>(maps.Row(BoundaryMap.TrueEdge, pixelClass, row), maps.Row(BoundaryMap.NearCode, pixelClass, row), gradient, maps.Width, maps.Stride, NearWindow);
                for (int c = 0; c < maps.Width; c++) gradient[c] = slopes.TrueEdge * gradient[c] + slopes.NearTrue * nearTrue[c] + slopes.Edge;
            }
        }
    }

    private struct DifferentiateLogits : IStage
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Row<V>(in BoundaryLossStages work, int row)
            where V : struct, ISimd<V>
        {
            BoundaryLossMaps maps = work.Maps;
            for (int pixelClass = 0; pixelClass < 2; pixelClass++)
            {
                float* gradient = maps.Row(BoundaryMap.Near, pixelClass, row), outside = maps.Row(BoundaryMap.Edge, pixelClass, row);
                MaxPool.BackwardRow<V>(gradient, maps.Row(BoundaryMap.EdgeCode, pixelClass, row), outside, maps.Width, maps.Stride, EdgeWindow);
                for (int c = 0; c < maps.Width; c++) outside[c] -= gradient[c];
            }
            float* foreground = maps.Row(BoundaryMap.Outside, 0, row), background = maps.Row(BoundaryMap.Outside, 1, row);
            float* dBackground = maps.Row(BoundaryMap.Edge, 0, row), dForeground = maps.Row(BoundaryMap.Edge, 1, row);
            long first = (long)row * maps.Width;
            for (int c = 0; c < maps.Width; c++)
            {
                double p0 = background[c], p1 = foreground[c];
                // The edges were found on 1 − p, hence the opposite signs.
                double byProbability = work.Dice.Difference(p0, p1, work.Target[first + c] != 0) + dBackground[c] - dForeground[c];
                LossPixel.StoreGradient(work.DLogits + 2 * (first + c), byProbability * p0 * p1);
            }
        }
    }
}
