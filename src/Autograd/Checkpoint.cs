using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>
/// Gradient checkpointing (Chen et al., "Training deep nets with sublinear memory cost", 2016): the forward pass keeps
/// just the input of a segment, the backward pass runs the segment again with the same random numbers.
/// </summary>
public static class Checkpoint
{
    /// <summary>Computes <c>segment(x)</c>; parameters used inside receive their gradients as usual.</summary>
    public static Tensor Run(Func<Tensor, Tensor> segment, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(segment);
        if (Tape.Current is null) return segment(x);
        RandomSource random = Generator.Current;
        ulong before = random.Next;
        Tensor y;
        using (Tape.Pause())
            y = segment(x).Detach();
        return Tape.RecordAlways(nameof(Checkpoint), y, [x], [x], g =>
        {
            ulong after = random.Next;
            random.Next = before;
            using (Tape again = Tape.Begin())
            {
                Tensor input = x.Detach().RequireGradient();
                Tensor output = segment(input);
                again.Backward(output, g.Output);
                if (g.Needs(0) && input.Gradient() is { } gradient) g.Set(0, gradient);
                input.ClearGradient();
            }
            random.Next = after;
        });
    }
}
