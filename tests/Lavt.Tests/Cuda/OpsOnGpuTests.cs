using Lavt.Autograd;
using Lavt.Tensors;
using Lavt.Tests.Autograd;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Every case of <see cref="OpCases"/> on the GPU, against the composed form in double on the CPU.</summary>
public class OpsOnGpuTests
{
    /// <summary>Operations that have no kernel for GPUs yet, by the beginning of their cases' names. Whoever writes one takes its line out.</summary>
    private static readonly string[] s_withoutKernel =
    [
    ];

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
        if (s_withoutKernel.Any(name => op.Name.StartsWith(name, StringComparison.Ordinal)))
        {
            MissingKernelException missing = Assert.Throws<MissingKernelException>(() => OpTests.Differentiate(op, InputsOn(gpu, op, strided: false)));
            Assert.Contains(gpu.ToString(), missing.Message, StringComparison.Ordinal);
            return;
        }
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

    private static Tensor[] InputsOn(Device gpu, OpCase op, bool strided)
    {
        Tensor[] inputs = OpTests.Inputs(op, DType.F32, strided: false);
        return [.. inputs.Select(input => strided ? Reversed(Ops.To(OpTests.Transposed(input), gpu)) : Ops.To(input, gpu))];
    }

    /// <summary>The view with the axes in reverse.</summary>
    private static Tensor Reversed(Tensor x) => x.ViewPermuted([.. Enumerable.Range(0, x.Rank).Reverse()]);
}
