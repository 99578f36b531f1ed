using Lavt.Autograd;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Autograd;

public class TapeTests
{
    [Fact]
    public void An_operation_without_gradient_throws_when_one_is_asked_for()
    {
        Tensor x = Tensor.From(new float[] { 1, 2 }, [2]).RequireGradient();
        using Tape tape = Tape.Begin();
        NotSupportedException error = Assert.Throws<NotSupportedException>(() => Ops.Max(x));
        Assert.Contains("Max has no gradient", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, Ops.Max(x.Detach()).Item<float>());
    }

    [Fact]
    public void Nothing_is_recorded_without_a_leaf_or_while_paused()
    {
        Tensor x = Tensor.From(new float[] { 1, 2 }, [2]);
        using Tape tape = Tape.Begin();
        Ops.Add(x, x);
        Assert.Equal(0, tape.Length);
        x.RequireGradient();
        using (Tape.Pause()) Ops.Add(x, x);
        Assert.Equal(0, tape.Length);
        Ops.Add(x, x);
        Assert.Equal(1, tape.Length);
    }

    [Fact]
    public void Memory_of_intermediate_results_is_free_after_backward()
    {
        Tensor x = Tensor.From(new float[1000], [1000]).RequireGradient();
        long before = HostAllocator.BytesInUse;
        using (MemoryScope scope = MemoryScope.Begin())
        {
            using Tape tape = Tape.Begin();
            Tensor y = x;
            for (int i = 0; i < 50; i++) y = Ops.Tanh(y);
            tape.Backward(Ops.Sum(y));
        }
        x.ClearGradient();
        Assert.Equal(before, HostAllocator.BytesInUse);
    }

    [Fact]
    public void Scopes_inside_free_all_but_what_the_tape_needs()
    {
        Tensor x = Tensor.From(new float[] { 0.5f }, [1]).RequireGradient();
        using Tape tape = Tape.Begin();
        Tensor y;
        using (MemoryScope scope = MemoryScope.Begin()) y = scope.Return(Ops.Tanh(Ops.Multiply(x, x)));
        tape.Backward(y);
        double expected = (1 - Math.Pow(Math.Tanh(0.25), 2)) * 1.0;
        Assert.Equal(expected, x.Gradient()!.Item<float>(), 1e-6);
    }

    [Fact]
    public void Results_that_can_be_computed_again_take_no_memory_until_then()
    {
        const int Count = 100_000;
        Tensor x = Ops.Full([Count], 0.5).RequireGradient();
        using MemoryScope scope = MemoryScope.Begin();
        using Tape tape = Tape.Begin();
        Tensor z;
        long before = HostAllocator.BytesInUse;
        using (MemoryScope inner = MemoryScope.Begin())
        {
            Tensor y = x;
            for (int i = 0; i < 4; i++) y = Ops.Multiply(y, x);
            z = inner.Return(y);
        }
        Assert.InRange(HostAllocator.BytesInUse - before, Count * sizeof(float), 2 * Count * sizeof(float));
        tape.Backward(z, Ops.Full([Count], 1));
        Assert.Equal(5 * Math.Pow(0.5, 4), x.Gradient()!.ToArray<float>()[Count - 1], 1e-6);
    }

    [Fact]
    public void Gradients_add_up_over_tapes_until_cleared()
    {
        Tensor x = Tensor.From(new float[] { 3 }, [1]).RequireGradient();
        for (int i = 0; i < 2; i++)
        {
            using MemoryScope scope = MemoryScope.Begin();
            using Tape tape = Tape.Begin();
            tape.Backward(Ops.Multiply(x, x));
        }
        Assert.Equal(12, x.Gradient()!.Item<float>());
        x.ClearGradient();
        Assert.Null(x.Gradient());
    }
}
