using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>What a tensor says about its gradient.</summary>
public static class TensorGradients
{
    /// <summary>Makes the tensor a leaf: operations on it are recorded, and <see cref="Gradient"/> collects its gradient.</summary>
    /// <exception cref="InvalidOperationException">The tensor is the result of a recorded operation, or holds integers.</exception>
    public static Tensor RequireGradient(this Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (!tensor.DType.IsFloat()) throw new InvalidOperationException($"a tensor of type {tensor.DType} cannot have a gradient");
        if (tensor.GradientState is GradientState { IsLeaf: false })
            throw new InvalidOperationException("the tensor is the result of a recorded operation; its gradient is passed on, not kept");
        tensor.GradientState ??= new GradientState { IsLeaf = true, Shape = tensor.Shape };
        return tensor;
    }

    /// <summary>Makes a leaf an ordinary tensor again: operations on it are no longer recorded for its sake.</summary>
    public static void StopGradient(this Tensor tensor)
    {
        if (tensor.GradientState is not GradientState { IsLeaf: true } state) return;
        state.Clear();
        tensor.GradientState = null;
    }

    /// <summary>True for a leaf.</summary>
    public static bool RequiresGradient(this Tensor tensor) => tensor.GradientState is GradientState { IsLeaf: true };

    /// <summary>The gradient collected by a leaf since <see cref="ClearGradient"/>; null if there is none.</summary>
    public static Tensor? Gradient(this Tensor tensor) => (tensor.GradientState as GradientState)?.Gradient;

    /// <summary>Puts <paramref name="gradient"/>, of the leaf's shape, in place of the gradient of a leaf; its memory is shared, not copied.</summary>
    public static void ReplaceGradient(this Tensor tensor, Tensor gradient)
    {
        if (tensor.GradientState is not GradientState { IsLeaf: true } state)
            throw new InvalidOperationException("only a leaf keeps a gradient; call RequireGradient first");
        if (gradient.Shape != state.Shape)
            throw new ArgumentException($"a tensor of shape {state.Shape} has a gradient of that shape, got {gradient.Shape}", nameof(gradient));
        state.Clear();
        state.Accumulate(gradient);
    }

    /// <summary>
    /// Calls <paramref name="ready"/> (null: nobody) in each backward pass as soon as the leaf's gradient is complete, while
    /// the pass goes on with other leaves'.
    /// </summary>
    public static void WhenGradientIsReady(this Tensor tensor, Action? ready)
    {
        if (tensor.GradientState is not GradientState { IsLeaf: true } state)
            throw new InvalidOperationException("only a leaf keeps a gradient; call RequireGradient first");
        state.Ready = ready;
    }

    /// <summary>Forgets the gradient and gives its memory back.</summary>
    public static void ClearGradient(this Tensor tensor) => (tensor.GradientState as GradientState)?.Clear();

    /// <summary>The same numbers, unknown to the tape.</summary>
    public static Tensor Detach(this Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return new Tensor(tensor.Storage, tensor.Shape, tensor.DType, tensor.CopyOfStrides(), tensor.Offset);
    }
}
