using Lavt.Kernels;
using Lavt.Options;

namespace Lavt.Models;

/// <summary>A convolution of a PWAM.</summary>
/// <param name="Name">Its key in the state dict, without the number of the entry in PyTorch's container.</param>
/// <param name="Kernel">The kernel; 3 pads 1 and 1 pads 0.</param>
/// <param name="Axes">Axes of the kernel in the state dict: 3, or 1 for a 1x1 convolution over tokens.</param>
/// <param name="Gate">The key of a gate x + tanh(...) · x behind it; null for none.</param>
internal sealed record FusionConvolution(string Name, Volume Kernel, int Axes = 3, string? Gate = null);

/// <summary>Convolutions one after the other, written as functions are: the last is applied first.</summary>
/// <param name="Convolutions">The convolutions in the order of the state dict.</param>
/// <param name="Residual">Whether the result of the convolution that is applied first is added at the end.</param>
internal sealed record FusionChain(FusionConvolution[] Convolutions, bool Residual = false);

/// <summary>What is made of a map: chains that start at the same map, added or concatenated, and maybe one more convolution.</summary>
/// <param name="Chains">The chains.</param>
/// <param name="Joined">A convolution of the chains' sum or concatenation; null for the sum as it is.</param>
/// <param name="Concatenates">Whether <paramref name="Joined"/> takes the concatenation.</param>
internal sealed record FusionTransform(FusionChain[] Chains, FusionConvolution? Joined = null, bool Concatenates = false);

/// <summary>
/// One pixel-word attention: language features = output(attention(query(x), words)), result = projection(visual(x) * language).
/// </summary>
/// <param name="Attention">Prefix of the attention's keys; where there is one, keys of words come before the query's.</param>
/// <param name="Visual">Convolutions with GELU.</param>
/// <param name="Query">Convolutions with a norm.</param>
/// <param name="Output">Convolutions with a norm.</param>
/// <param name="Projection">Convolutions with GELU.</param>
/// <param name="MayBeSimple">Whether <c>--fuse simple</c> replaces the attention.</param>
internal sealed record FusionStream(
    string Attention, FusionTransform Visual, FusionTransform Query, FusionTransform Output, FusionTransform Projection, bool MayBeSimple = false);

/// <summary>
/// The layers of a PWAM as the flags describe them: the paper's (one attention of 1x1 convolutions) and all variants of the
/// video models. Modules and state-dict keys are made from it.
/// </summary>
/// <param name="Streams">The attentions; the results of several are added, or concatenated for <paramref name="Reduction"/>.</param>
/// <param name="Reduction">Makes one map of two streams' concatenation; null: they are added.</param>
internal sealed record FusionPlan(FusionStream[] Streams, FusionConvolution? Reduction = null)
{
    private static readonly Volume s_point = new(1, 1, 1);
    private static readonly Volume s_frame = new(1, 3, 3);

    /// <summary>The PWAM of pictures, and of clips where no variant is asked for.</summary>
    public static FusionPlan Plain { get; } = new([PlainStream]);

    private static FusionStream PlainStream => new(
        "image_lang_att.", Of(Point("vis_project")), Of(Point("f_query")), Of(Point("W")), Of(Point("project_mm")), MayBeSimple: true);

    /// <summary>The variant that the flags ask for; where there are several, the first in the published code's order.</summary>
    public static FusionPlan Of(VideoFusionOptions flags) => flags switch
    {
        { TsPwam: true } => new(
            [PlainStream, TimeStream(flags, flags.W3x3, flags.Mm3x3)],
            flags.TsPwamSum ? null : flags.CatReduce3 ? new("out_reduce", s_frame) : new("out_reduce", s_point, Axes: 0)),
        { TPwam: true } => new([TimeStream(flags, false, false)]),
        { TPwamComplete: true } => new([TimeStream(flags, true, true)]),
        { SepTPwam: true } => new([SeparateStream(flags)]),
        { SepTPwamInner: true } => new([Inner(Time(flags, "f_query_t"), Space(flags, "f_query_s"))]),
        { SeqTPwam: true } => new([Sequential(
            Chain(flags, Time(flags, "temporal_vis_project"), Space(flags, "spatial_vis_project")),
            Chain(flags, Time(flags, "f_query_t"), Space(flags, "f_query_s")))]),
        { SepSeqTPwam: true } => new([Sequential(
            Of(Chain(flags, Time(flags, "temporal_vis_project_q"), First(flags, "spatial_vis_project_q")), Space(flags, "spatial_vis_project")),
            SequentialQuery(flags))]),
        { SepSeqTPwamInner: true } => new([Sequential(Of(new FusionConvolution("spatial_vis_project", s_point)), SequentialQuery(flags))]),
        _ => Plain,
    };

    /// <summary><c>--t_pwam</c>: 3-D convolutions for the visual features and the query, and in full everywhere.</summary>
    private static FusionStream TimeStream(VideoFusionOptions flags, bool output, bool projection)
    {
        Volume kernel = Kernel(flags.KernelSize);
        return new(
            "temporal_image_lang_att.",
            Of(new FusionConvolution("temporal_vis_project", kernel)),
            Of(new FusionConvolution("f_query", kernel)),
            Of(output ? new FusionConvolution("W", kernel) : Point("W")),
            Of(projection ? new FusionConvolution("project_temporal_mm", kernel) : Point("project_temporal_mm")),
            MayBeSimple: true);
    }

    /// <summary><c>--sep_t_pwam</c>, the journal paper's: separate convolutions over time and space everywhere.</summary>
    private static FusionStream SeparateStream(VideoFusionOptions flags)
    {
        return new("",
            Joined("vis_fuse", Time(flags, "temporal_vis_project", flags.TimeGateVisual ? "t_gate_v" : null), Space(flags, "spatial_vis_project", flags.SpaceGateVisual ? "s_gate_v" : null)),
            Joined("f_fuse", Time(flags, "f_query_t", flags.TimeGateQuery ? "t_gate_q" : null), Space(flags, "f_query_s", flags.SpaceGateQuery ? "s_gate_q" : null)),
            Behind("W", flags.W3x3, flags.W3, flags.WT3x3S1x1),
            Behind("project_mm", flags.Mm3x3, flags.Mm3, flags.MmT3x3S1x1));

        FusionTransform Joined(string name, FusionConvolution time, FusionConvolution space) => new(
            [new([time]), new([space])],
            flags.SumKernelSize.Length > 0 ? new(name, Kernel(flags.SumKernelSize)) : flags.CatReduceKernelSize.Length > 0 ? new(name, Kernel(flags.CatReduceKernelSize)) : null,
            Concatenates: flags.SumKernelSize.Length == 0);

        FusionTransform Behind(string name, bool volume, bool frame, bool both) =>
            volume ? Of(Time(flags, name))
            : frame ? Of(new FusionConvolution(name, s_frame))
            : both ? new([new([Time(flags, $"{name}_t")]), new([new($"{name}_s", s_point)])])
            : Of(Point(name));
    }

    private static FusionStream Sequential(FusionTransform visual, FusionTransform query) =>
        new("", visual, query, Of(Point("W")), Of(Point("project_mm")));

    private static FusionStream Inner(params FusionConvolution[] queries) =>
        Sequential(Of(new FusionConvolution("spatial_vis_project", s_point)), new([.. queries.Select(q => new FusionChain([q]))]));

    private static FusionTransform SequentialQuery(VideoFusionOptions flags) =>
        Of(Chain(flags, Time(flags, "f_query_t_q"), First(flags, "f_query_s_q")), Space(flags, "f_query_s"));

    private static FusionTransform Chain(VideoFusionOptions flags, FusionConvolution second, FusionConvolution first) =>
        new([new([second, first], flags.Residual)]);

    private static FusionTransform Of(FusionConvolution convolution) => new([new([convolution])]);

    private static FusionTransform Of(FusionTransform chain, FusionConvolution convolution) => new([.. chain.Chains, new([convolution])]);

    private static FusionConvolution Point(string name) => new(name, s_point, Axes: 1);

    private static FusionConvolution Time(VideoFusionOptions flags, string name, string? gate = null) => new(name, Kernel(flags.TimeKernelSize), Gate: gate);

    private static FusionConvolution Space(VideoFusionOptions flags, string name, string? gate = null) => new(name, Kernel(flags.SpaceKernelSize), Gate: gate);

    private static FusionConvolution First(VideoFusionOptions flags, string name) => new(name, Kernel(flags.SequentialKernelSize));

    private static Volume Kernel(string size) => new(size[0] - '0', size[2] - '0', size[4] - '0');
}
