namespace Lavt.Evaluation;

/// <summary>A model gave logits that are no numbers, of which no mask can be made.</summary>
public sealed class NotFiniteException()
    : Exception("the model's logits are not finite: weights of the checkpoint are NaN or infinite (take an earlier one, from before training diverged), or --precision fp16 is too narrow for it (use bf16 or fp32)");
