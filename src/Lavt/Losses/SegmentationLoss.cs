using Lavt.Autograd;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Losses;

/// <summary>The losses of <c>--loss</c>.</summary>
public static class SegmentationLoss
{
    /// <summary>The loss of logits [B, H, W, 2] for a target [B, H, W] (U8, 0 or 1), a scalar.</summary>
    public static Tensor Compute(TrainingOptions options, Tensor logits, Tensor target) => options.Loss switch
    {
        LossKind.MultiClassDice => Ops.MultiClassDiceLoss(logits, target),
        LossKind.DiceFocal => Ops.DiceFocalLoss(logits, target, options.FocalRate, options.DiceRate),
        LossKind.DiceBoundary => Ops.DiceBoundaryLoss(logits, target, options.BoundaryRate, options.DiceRate),
        _ => Ops.CrossEntropyLoss(logits, target),
    };

    /// <summary>
    /// What the loss of a target [B, H, W] counts in a mean over several batches: the sum of the pixels' class weights for
    /// cross entropy, the number of samples for the others.
    /// </summary>
    public static double Weight(TrainingOptions options, Tensor target) =>
        options.Loss == LossKind.CrossEntropy ? Ops.CrossEntropyWeight(target) : target.Shape[0];
}
