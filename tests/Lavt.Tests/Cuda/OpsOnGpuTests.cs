using Lavt.Autograd;
using Lavt.Tensors;
using Lavt.Tests.Autograd;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Every case of <see cref="OpCases"/> on the GPU, against the composed form in double on the CPU.</summary>
public class OpsOnGpuTests
{
    /// <summary>All cases, or those whose names begin with one of the words in LAVT_TEST_OPS.</summary>
    public static TheoryData<int> Cases()
    {
        string[] wanted = (Environment.GetEnvironmentVariable("LAVT_TEST_OPS") ?? "").Split(',');
        return [.. OpCases.All().Index().Where(op => wanted.Any(word => op.Item.Name.StartsWith(word, StringComparison.Ordinal))).Select(op => op.Index)];
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void On_the_GPU_equals_composed_on_the_CPU(int index)
    {
        Device gpu = Gpu.Device.Device;
        OpCase op = OpCases.All().ElementAt(index);
        using MemoryScope scope = MemoryScope.Begin();
        (Tensor exact, _, Tensor?[] exactGradients) = OpTests.Differentiate(op, OpTests.Inputs(op, DType.F64, strided: false));
        foreach (int order in Gpu.Orders)
        {
            Gpu.SetOrder(order);
            bool strided = order == 1;
            (Tensor output, _, Tensor?[] gradients) = OpTests.Differentiate(op, InputsOn(gpu, op, strided));
            OpTests.AssertClose(exact, output, $"{op}: result in order {order}");
            for (int i = 0; i < gradients.Length; i++)
            {
                Assert.Equal(exactGradients[i] is null, gradients[i] is null);
                if (gradients[i] is { } gradient) OpTests.AssertClose(exactGradients[i]!, gradient, $"{op}: gradient of input {i} in order {order}{(strided ? " (strided)" : "")}");
            }
        }
        Gpu.SetOrder(0);
    }

    [Fact]
    public void What_has_no_kernel_is_one_message_with_operation_and_device()
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor table = Gpu.From(new double[] { 1, 2 }, [2, 1]), ids = Gpu.From(new long[] { 1 }, [1]);
        MissingKernelException missing = Assert.Throws<MissingKernelException>(() => Ops.Gather(table, ids));
        Assert.Contains("Gather", missing.Message, StringComparison.Ordinal);
        Assert.Contains(table.Device.ToString(), missing.Message, StringComparison.Ordinal);
    }

    private static Tensor[] InputsOn(Device gpu, OpCase op, bool strided)
    {
        Tensor[] inputs = OpTests.Inputs(op, DType.F32, strided: false);
        return [.. inputs.Select(input => strided ? Reversed(Ops.To(OpTests.Transposed(input), gpu)) : Ops.To(input, gpu))];
    }

    /// <summary>The view with the axes in reverse.</summary>
    private static Tensor Reversed(Tensor x) => x.ViewPermuted([.. Enumerable.Range(0, x.Rank).Reverse()]);
}
