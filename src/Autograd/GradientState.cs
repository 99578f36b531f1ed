using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>What the tape knows of one tensor: whether a gradient is wanted, and the gradient once there is one.</summary>
internal sealed class GradientState
{
    /// <summary>Set for leaves (parameters, inputs under test); unset for results of operations.</summary>
    public bool IsLeaf { get; init; }

    /// <summary>The tape on which the tensor was made; null for leaves.</summary>
    public Tape? Tape { get; init; }

    /// <summary>The extents that the gradient must have.</summary>
    public Shape Shape { get; init; }

    /// <summary>The sum of the gradients given so far; this state holds a reference to its memory.</summary>
    public Tensor? Gradient { get; private set; }

    /// <summary>How many operations on open tapes have read this leaf.</summary>
    public int Readers { get; set; }

    /// <summary>Called in a backward pass when the last of the <see cref="Readers"/> has given its share of the gradient.</summary>
    public Action? Ready { get; set; }

    /// <summary>Adds a gradient of the right shape.</summary>
    public void Accumulate(Tensor gradient)
    {
        if (Gradient is null)
        {
            gradient.Storage.Retain();
            Gradient = gradient;
            return;
        }
        // In place only where nobody else looks at the numbers: rules may hand one tensor to several inputs.
        if (Gradient.IsContiguous && Gradient.Storage.References == 1)
        {
            Ops.AddInPlace(Gradient, gradient);
            return;
        }
        Tensor sum = Ops.AddWithoutTape(Gradient, gradient);
        Clear();
        sum.Storage.Retain();
        Gradient = sum;
    }

    /// <summary>Forgets the gradient.</summary>
    public void Clear()
    {
        Gradient?.Storage.ReleaseReference();
        Gradient = null;
    }
}
