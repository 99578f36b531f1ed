using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The Dice loss of <see cref="MultiClassDiceLoss"/> and the boundary loss of Bokhovkin and Burnaev ("Boundary loss for
/// remote sensing imagery semantic segmentation", 2019): 1 − F1 of boundary pixels, which are found by max-pooling,
/// averaged over samples and classes. Pixels count as hit within the 5x5 neighbourhood of the other boundary.
/// </summary>
public static unsafe class DiceBoundaryLoss
{
    private const double Epsilon = 1e-7;

    /// <summary>Computes diceRate · Dice loss + boundaryRate · boundary loss and its gradient.</summary>
    /// <param name="logits">[batch, height, width, 2], background before foreground.</param>
    /// <param name="target">[batch, height, width], 1 on the object and 0 elsewhere.</param>
    /// <param name="batch">The number of samples.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <param name="width">Columns of pixels.</param>
    /// <param name="boundaryRate">The factor of the boundary loss.</param>
    /// <param name="diceRate">The factor of the Dice loss.</param>
    /// <param name="loss">The loss; not a number if there are no samples.</param>
    /// <param name="dLogits">The gradient of the loss, as <paramref name="logits"/>; null if not wanted.</param>
    public static void Run(float* logits, byte* target, int batch, int height, int width, double boundaryRate, double diceRate, out double loss, float* dLogits)
    {
        long pixels = (long)height * width, sumsCount = DiceFocalLoss.ScratchCount(batch, pixels);
        int blocks = BoundaryLossStages.Blocks(height);
        // One after the other: the sums of the Dice loss, those of the boundary loss, the maps of a sample.
        long diceBytes = sumsCount * sizeof(DiceLossSums), boundaryBytes = 2L * blocks * sizeof(BoundarySums);
        byte* scratch = (byte*)Workers.Scratch(diceBytes + boundaryBytes + BoundaryLossMaps.Count(height, width) * sizeof(float));
        DiceLossSums* dice = (DiceLossSums*)scratch;
        BoundarySums* boundary = (BoundarySums*)(scratch + diceBytes);
        BoundaryLossMaps maps = new((float*)(scratch + diceBytes + boundaryBytes), height, width);
        maps.SetBorders();
        DiceFocalLoss.Sum(logits, target, batch, pixels, 0, null, dice);

        double diceFactor = diceRate / (2.0 * batch), boundaryFactor = boundaryRate / (2.0 * batch);
        loss = batch == 0 ? double.NaN : 0;
        for (int b = 0; b < batch; b++)
        {
            BoundaryLossStages stages = new() { Logits = logits + 2 * b * pixels, Target = target + b * pixels, Maps = maps, Sums = boundary };
            stages.Measure();
            BoundarySums background = Total(boundary, blocks), foreground = Total(boundary + blocks, blocks);
            loss += diceFactor * dice[b].Loss + boundaryFactor * (2 - background.F1 - foreground.F1);
            if (dLogits == null) continue;
            stages.DLogits = dLogits + 2 * b * pixels;
            stages.Dice = dice[b].Derivative(diceFactor);
            stages.Background = background.Derivative(-boundaryFactor);
            stages.Foreground = foreground.Derivative(-boundaryFactor);
            stages.Differentiate();
        }
    }

    private static BoundarySums Total(BoundarySums* sums, int count)
    {
        BoundarySums total = default;
        for (int i = 0; i < count; i++) total.Add(sums[i]);
        return total;
    }

    /// <summary>The sums over a sample's pixels that the F1 measure of one class's boundary needs.</summary>
    internal struct BoundarySums
    {
        private double _hit;
        private double _edge;
        private double _found;
        private double _trueEdge;

        private readonly double Precision => _hit / (_edge + Epsilon);

        private readonly double Recall => _found / (_trueEdge + Epsilon);

        /// <summary>2·P·R / (P + R), P precision and R recall.</summary>
        public readonly double F1 => 2 * Precision * Recall / (Precision + Recall + Epsilon);

        /// <summary>Adds a pixel.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(double edge, double near, double trueEdge, double nearTrue)
        {
            _hit += edge * nearTrue;
            _edge += edge;
            _found += near * trueEdge;
            _trueEdge += trueEdge;
        }

        /// <summary>Adds the sums of other pixels.</summary>
        public void Add(in BoundarySums other)
        {
            _hit += other._hit;
            _edge += other._edge;
            _found += other._found;
            _trueEdge += other._trueEdge;
        }

        /// <summary>What the derivatives of factor · <see cref="F1"/> at any pixel are made of.</summary>
        public readonly BoundarySlopes Derivative(double factor)
        {
            double p = Precision, r = Recall, sum = p + r + Epsilon;
            double byPrecision = factor * 2 * r * (r + Epsilon) / (sum * sum), byRecall = factor * 2 * p * (p + Epsilon) / (sum * sum);
            return new BoundarySlopes
            {
                NearTrue = (float)(byPrecision / (_edge + Epsilon)),
                Edge = (float)(-byPrecision * p / (_edge + Epsilon)),
                TrueEdge = (float)(byRecall / (_trueEdge + Epsilon)),
            };
        }
    }

    /// <summary>The derivative by edge is <see cref="NearTrue"/> · nearTrue + <see cref="Edge"/>, that by near is <see cref="TrueEdge"/> · trueEdge.</summary>
    internal struct BoundarySlopes
    {
        /// <summary>Times nearTrue.</summary>
        public float NearTrue;

        /// <summary>The same for all pixels.</summary>
        public float Edge;

        /// <summary>Times trueEdge.</summary>
        public float TrueEdge;
    }
}
