using Lavt.Models;
using Lavt.Nn;
using Lavt.Tensors;

namespace Lavt.Weights;

/// <summary>Makes weights fit a backbone with other windows or another number of frames.</summary>
internal static class Inflation
{
    private const string BiasTable = "relative_position_bias_table";
    private const string PatchKernel = "patch_embed.proj.weight";

    /// <summary>
    /// Changes what has another shape than in <paramref name="backbone"/>: bias tables are resized, and the patch kernel gets
    /// one frame, from several as their sum (Video Swin looks at pairs of frames, LAVT at one) or from none.
    /// </summary>
    /// <param name="backbone">The module to load into.</param>
    /// <param name="state">Its tensors, and maybe others.</param>
    /// <param name="prefix">What the backbone's keys begin with in <paramref name="state"/>.</param>
    public static void FitTo(SwinBackbone backbone, Dictionary<string, Tensor> state, string prefix = "")
    {
        foreach (StateEntry own in backbone.State(prefix))
        {
            if (!state.TryGetValue(own.Name, out Tensor? value) || value.Shape == own.Value.Shape) continue;
            if (own.Name.EndsWith(BiasTable, StringComparison.Ordinal) && value.Rank == 2 && value.Shape[1] == own.Value.Shape[1])
                state[own.Name] = BiasTables.Resize(value, backbone.Window);
            else if (own.Name.EndsWith(PatchKernel, StringComparison.Ordinal))
                state[own.Name] = PatchOf(value, own.Value.Shape);
        }
    }

    private static Tensor PatchOf(Tensor kernel, Shape wanted)
    {
        if (kernel.Rank == 4 && wanted.Rank == 5 && kernel.Count == wanted.Count) return kernel.To(DType.F32).ViewAs(wanted);
        if (kernel.Rank != 5 || kernel.Count / Math.Max(1, kernel.Shape[2]) != wanted.Count) return kernel;
        Tensor source = kernel.To(DType.F32), sum = Tensor.Zeros(wanted);
        int frames = kernel.Shape[2], plane = kernel.Shape[3] * kernel.Shape[4];
        ReadOnlySpan<float> from = source.Span<float>();
        Span<float> to = sum.Span<float>();
        for (int i = 0; i < to.Length; i++)
        {
            double value = 0;
            for (int frame = 0; frame < frames; frame++) value += from[(i / plane * frames + frame) * plane + i % plane];
            to[i] = (float)value;
        }
        return sum;
    }
}
