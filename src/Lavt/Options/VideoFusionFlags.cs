using System.Text.RegularExpressions;

namespace Lavt.Options;

/// <summary>The flags of the video models' pixel-word attention.</summary>
internal static partial class VideoFusionFlags
{
    /// <summary>All of them, with the published parser's names and defaults.</summary>
    public static FlagTable<VideoFusionOptions> Table { get; } = new FlagTable<VideoFusionOptions>()
        .Switch("--t_pwam", "One PWAM with 3-D convolutions.", o => o.TPwam, (o, v) => o with { TPwam = v })
        .Switch("--t_pwam_comp", "The same with 3-D convolutions everywhere.", o => o.TPwamComplete, (o, v) => o with { TPwamComplete = v })
        .Switch("--ts_pwam", "Two PWAMs, over space and over time.", o => o.TsPwam, (o, v) => o with { TsPwam = v })
        .Switch("--tspwam_sum", "Add the two PWAMs of --ts_pwam.", o => o.TsPwamSum, (o, v) => o with { TsPwamSum = v })
        .Switch("--cat_reduce_3", "Reduce the concatenation of --ts_pwam by a 3x3 convolution.",
            o => o.CatReduce3, (o, v) => o with { CatReduce3 = v })
        .Switch("--sep_t_pwam", "Separate projections for space and time, added.", o => o.SepTPwam, (o, v) => o with { SepTPwam = v })
        .Switch("--sep_t_pwam_inner", "--sep_t_pwam on the attention's query alone.",
            o => o.SepTPwamInner, (o, v) => o with { SepTPwamInner = v })
        .Switch("--seq_t_pwam", "A convolution over space, then one over time.", o => o.SeqTPwam, (o, v) => o with { SeqTPwam = v })
        .Switch("--sep_seq_t_pwam", "--sep_t_pwam with a sequential time branch.", o => o.SepSeqTPwam, (o, v) => o with { SepSeqTPwam = v })
        .Switch("--sep_seq_t_pwam_inner", "--sep_seq_t_pwam on the attention's query alone.",
            o => o.SepSeqTPwamInner, (o, v) => o with { SepSeqTPwamInner = v })
        .Switch("--res", "A residual connection in the sequential variants.", o => o.Residual, (o, v) => o with { Residual = v })
        .Switch("--w_3", "PWAM's output projection is a 3x3 convolution.", o => o.W3, (o, v) => o with { W3 = v })
        .Switch("--w_3x3", "PWAM's output projection is a 3x3x3 convolution.", o => o.W3x3, (o, v) => o with { W3x3 = v })
        .Switch("--w_t3x3_s1x1", "Two output projections, 3x3x3 and 1x1x1.", o => o.WT3x3S1x1, (o, v) => o with { WT3x3S1x1 = v })
        .Switch("--mm_3", "The multi-modal projection is a 3x3 convolution.", o => o.Mm3, (o, v) => o with { Mm3 = v })
        .Switch("--mm_3x3", "The multi-modal projection is a 3x3x3 convolution.", o => o.Mm3x3, (o, v) => o with { Mm3x3 = v })
        .Switch("--mm_t3x3_s1x1", "Two multi-modal projections, 3x3x3 and 1x1x1.",
            o => o.MmT3x3S1x1, (o, v) => o with { MmT3x3S1x1 = v })
        .Switch("--s_tanh_plus_1_gate_1_q", "A gate on the space branch of the query.",
            o => o.SpaceGateQuery, (o, v) => o with { SpaceGateQuery = v })
        .Switch("--s_tanh_plus_1_gate_1_v", "A gate on the space branch of the visual features.",
            o => o.SpaceGateVisual, (o, v) => o with { SpaceGateVisual = v })
        .Switch("--t_tanh_plus_1_gate_1_q", "A gate on the time branch of the query.",
            o => o.TimeGateQuery, (o, v) => o with { TimeGateQuery = v })
        .Switch("--t_tanh_plus_1_gate_1_v", "A gate on the time branch of the visual features.",
            o => o.TimeGateVisual, (o, v) => o with { TimeGateVisual = v })
        .Text("--conv3d_kernel_size", "D-H-W", "Kernel of the 3-D convolutions.",
            o => o.KernelSize, (o, v) => o with { KernelSize = Kernel(v) })
        .Text("--conv3d_kernel_size_t", "D-H-W", "Kernel of the time branch.",
            o => o.TimeKernelSize, (o, v) => o with { TimeKernelSize = Kernel(v) })
        .Text("--conv3d_kernel_size_s", "D-H-W", "Kernel of the space branch.",
            o => o.SpaceKernelSize, (o, v) => o with { SpaceKernelSize = Kernel(v) })
        .Text("--conv3d_kernel_size_sq", "D-H-W", "Kernel of the sequential variants' first convolution.",
            o => o.SequentialKernelSize, (o, v) => o with { SequentialKernelSize = Kernel(v) })
        .Text("--sept_sum_3_kernel_size", "D-H-W", "Kernel after the branches' sum; none when empty.",
            o => o.SumKernelSize, (o, v) => o with { SumKernelSize = OptionalKernel(v) })
        .Text("--sept_cat_reduce_kernel_size", "D-H-W", "Kernel that reduces the concatenated branches; none when empty.",
            o => o.CatReduceKernelSize, (o, v) => o with { CatReduceKernelSize = OptionalKernel(v) })
        .Switch("--ytvos_2d_swin_pwam", "The image backbone and PWAM on clips.", o => o.ImageBackbone, (o, v) => o with { ImageBackbone = v })
        .Switch("--ytvos_2d_swin_3d_pwam", "The image backbone with a video PWAM on clips.",
            o => o.ImageBackboneVideoPwam, (o, v) => o with { ImageBackboneVideoPwam = v });

    private static string OptionalKernel(string text) => text.Length == 0 ? text : Kernel(text);

    private static string Kernel(string text) => KernelForm().IsMatch(text)
        ? text
        : throw new FormatException($"expected three sizes of 1 or 3 like 3-3-3 (depth, height, width), got '{text}'");

    [GeneratedRegex("^[13]-[13]-[13]$")]
    private static partial Regex KernelForm();
}
