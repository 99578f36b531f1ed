using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>Given to a backward rule: the gradient of the result, and where to put the gradients of the inputs.</summary>
public readonly ref struct Gradients
{
    private readonly GradientState?[] _inputs;

    internal Gradients(Tensor output, GradientState?[] inputs)
    {
        Output = output;
        _inputs = inputs;
    }

    /// <summary>The gradient of the loss with respect to the result, contiguous.</summary>
    public Tensor Output { get; }

    /// <summary>True if somebody wants the gradient of input <paramref name="index"/>.</summary>
    public bool Needs(int index) => _inputs[index] is not null;

    /// <summary>
    /// Gives the gradient of input <paramref name="index"/>. Axes along which the input was broadcast are summed here, once
    /// for all rules; gradients of a tensor that is used several times add up.
    /// </summary>
    public void Set(int index, Tensor gradient)
    {
        GradientState? state = _inputs[index];
        if (state is null) return;
        state.Accumulate(gradient.Shape == state.Shape ? gradient : Ops.SumToShape(gradient, state.Shape));
    }
}

/// <summary>Computes the gradients of an operation's inputs from the gradient of its result.</summary>
public delegate void BackwardRule(Gradients gradients);
