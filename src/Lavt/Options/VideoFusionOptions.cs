namespace Lavt.Options;

/// <summary>The variants of the video models' pixel-word attention. Kernel sizes are written depth-height-width.</summary>
public sealed record VideoFusionOptions
{
    /// <summary><c>--t_pwam</c>: one PWAM whose query and visual projections are 3-D convolutions.</summary>
    public bool TPwam { get; init; }

    /// <summary><c>--t_pwam_comp</c>: 3-D convolutions for all four transforms of the visual side.</summary>
    public bool TPwamComplete { get; init; }

    /// <summary><c>--ts_pwam</c>: two PWAMs, one over space and one over time.</summary>
    public bool TsPwam { get; init; }

    /// <summary><c>--tspwam_sum</c>: add the two PWAMs of <c>--ts_pwam</c> instead of concatenating them.</summary>
    public bool TsPwamSum { get; init; }

    /// <summary><c>--cat_reduce_3</c>: reduce the concatenation of <c>--ts_pwam</c> by a 3x3 convolution.</summary>
    public bool CatReduce3 { get; init; }

    /// <summary><c>--sep_t_pwam</c>: separate space and time projections, added (the journal paper's PWAM).</summary>
    public bool SepTPwam { get; init; }

    /// <summary><c>--sep_t_pwam_inner</c>: the same on the attention's query alone.</summary>
    public bool SepTPwamInner { get; init; }

    /// <summary><c>--seq_t_pwam</c>: a convolution over space, then one over time.</summary>
    public bool SeqTPwam { get; init; }

    /// <summary><c>--sep_seq_t_pwam</c>: <see cref="SepTPwam"/> with the time branch cut into space, then time.</summary>
    public bool SepSeqTPwam { get; init; }

    /// <summary><c>--sep_seq_t_pwam_inner</c>: the same on the attention's query alone.</summary>
    public bool SepSeqTPwamInner { get; init; }

    /// <summary><c>--res</c>: a residual connection in the sequential variants.</summary>
    public bool Residual { get; init; }

    /// <summary><c>--w_3</c>: the attention's output projection is a 3x3 convolution per frame.</summary>
    public bool W3 { get; init; }

    /// <summary><c>--w_3x3</c>: the attention's output projection is a 3x3x3 convolution.</summary>
    public bool W3x3 { get; init; }

    /// <summary><c>--w_t3x3_s1x1</c>: two output projections, 3x3x3 and 1x1x1.</summary>
    public bool WT3x3S1x1 { get; init; }

    /// <summary><c>--mm_3</c>: the multi-modal projection is a 3x3 convolution per frame.</summary>
    public bool Mm3 { get; init; }

    /// <summary><c>--mm_3x3</c>: the multi-modal projection is a 3x3x3 convolution.</summary>
    public bool Mm3x3 { get; init; }

    /// <summary><c>--mm_t3x3_s1x1</c>: two multi-modal projections, 3x3x3 and 1x1x1.</summary>
    public bool MmT3x3S1x1 { get; init; }

    /// <summary><c>--s_tanh_plus_1_gate_1_q</c>: a gate (tanh + 1) on the space branch of the query.</summary>
    public bool SpaceGateQuery { get; init; }

    /// <summary><c>--s_tanh_plus_1_gate_1_v</c>: a gate (tanh + 1) on the space branch of the visual features.</summary>
    public bool SpaceGateVisual { get; init; }

    /// <summary><c>--t_tanh_plus_1_gate_1_q</c>: a gate (tanh + 1) on the time branch of the query.</summary>
    public bool TimeGateQuery { get; init; }

    /// <summary><c>--t_tanh_plus_1_gate_1_v</c>: a gate (tanh + 1) on the time branch of the visual features.</summary>
    public bool TimeGateVisual { get; init; }

    /// <summary><c>--conv3d_kernel_size</c>.</summary>
    public string KernelSize { get; init; } = "3-1-1";

    /// <summary><c>--conv3d_kernel_size_t</c>: kernel of the time branch.</summary>
    public string TimeKernelSize { get; init; } = "3-1-1";

    /// <summary><c>--conv3d_kernel_size_s</c>: kernel of the space branch.</summary>
    public string SpaceKernelSize { get; init; } = "1-1-1";

    /// <summary><c>--conv3d_kernel_size_sq</c>: kernel of the sequential variants' first convolution.</summary>
    public string SequentialKernelSize { get; init; } = "1-3-3";

    /// <summary><c>--sept_sum_3_kernel_size</c>: kernel after the sum of the branches; empty for none.</summary>
    public string SumKernelSize { get; init; } = "";

    /// <summary><c>--sept_cat_reduce_kernel_size</c>: kernel that reduces the concatenated branches; empty for none.</summary>
    public string CatReduceKernelSize { get; init; } = "";

    /// <summary><c>--ytvos_2d_swin_pwam</c>: the image backbone and its PWAM on clips.</summary>
    public bool ImageBackbone { get; init; }

    /// <summary><c>--ytvos_2d_swin_3d_pwam</c>: the image backbone with a video PWAM on clips.</summary>
    public bool ImageBackboneVideoPwam { get; init; }
}
