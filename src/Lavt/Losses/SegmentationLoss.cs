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
}
