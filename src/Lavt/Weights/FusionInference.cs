using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Weights;

/// <summary>Finds out from the first stage's fusion weights which variant of the pixel-word attention they are of.</summary>
internal sealed class FusionInference
{
    private readonly Dictionary<string, Tensor> _weights;
    private readonly VideoFusionOptions _described;

    /// <summary>Of the tensors whose keys begin with <paramref name="prefix"/>.</summary>
    /// <param name="state">A model's tensors.</param>
    /// <param name="prefix">What comes before the fusion's own keys.</param>
    /// <param name="described">What command line and <c>args</c> say; it decides what the weights leave open.</param>
    public FusionInference(IReadOnlyDictionary<string, Tensor> state, string prefix, VideoFusionOptions described)
    {
        _weights = state.Where(e => e.Key.StartsWith(prefix, StringComparison.Ordinal) && e.Key.EndsWith(".0.weight", StringComparison.Ordinal))
            .ToDictionary(e => e.Key[prefix.Length..^".0.weight".Length], e => e.Value);
        _described = described;
    }

    /// <summary>Whether there is a variant that only the fusion of clips has.</summary>
    public bool IsOfClips => _weights.Keys.Any(key => key.StartsWith("temporal_", StringComparison.Ordinal) || key.StartsWith("f_query", StringComparison.Ordinal));

    /// <summary>The flags of the variant.</summary>
    public VideoFusionOptions Options()
    {
        VideoFusionOptions none = _described with
        {
            TPwam = false,
            TPwamComplete = false,
            TsPwam = false,
            SepTPwam = false,
            SepTPwamInner = false,
            SeqTPwam = false,
            SepSeqTPwam = false,
            SepSeqTPwamInner = false,
        };
        if (!IsOfClips) return none;
        if (Has("f_query_t_q")) return Sequential(none);
        return Has("f_query_t") ? Separate(none) : Joint(none);
    }

    /// <summary><c>--t_pwam</c>, <c>--t_pwam_comp</c>, <c>--ts_pwam</c>.</summary>
    private VideoFusionOptions Joint(VideoFusionOptions options)
    {
        options = options with { KernelSize = Kernel("temporal_vis_project") };
        if (!Has("project_mm"))
            return IsVolume("project_temporal_mm") ? options with { TPwamComplete = true } : options with { TPwam = true };
        return options with
        {
            TsPwam = true,
            TsPwamSum = !Has("out_reduce"),
            CatReduce3 = IsVolume("out_reduce"),
            W3x3 = IsVolume("temporal_image_lang_att.W"),
            Mm3x3 = IsVolume("project_temporal_mm"),
        };
    }

    /// <summary><c>--sep_t_pwam</c>, <c>--seq_t_pwam</c>, <c>--sep_t_pwam_inner</c>.</summary>
    private VideoFusionOptions Separate(VideoFusionOptions options)
    {
        options = options with { TimeKernelSize = Kernel("f_query_t"), SpaceKernelSize = Kernel("f_query_s") };
        if (!Has("temporal_vis_project")) return options with { SepTPwamInner = true };
        // Without further options these two have the same weights.
        bool isPlain = !IsVolume("W") && !Has("W_t") && !IsVolume("project_mm") && !Has("project_mm_t") && !Has("vis_fuse") && !_weights.Keys.Any(k => k.Contains("gate", StringComparison.Ordinal));
        if (isPlain && _described.SeqTPwam && !_described.SepTPwam) return options with { SeqTPwam = true };
        (bool w3x3, bool w3) = Behind("W", _described.W3);
        (bool mm3x3, bool mm3) = Behind("project_mm", _described.Mm3);
        string joined = Has("vis_fuse") ? Kernel("vis_fuse") : "";
        bool concatenates = joined.Length > 0 && _weights["vis_fuse"].Shape[1] != _weights["vis_fuse"].Shape[0];
        return options with
        {
            SepTPwam = true,
            W3x3 = w3x3,
            W3 = w3,
            WT3x3S1x1 = Has("W_t"),
            Mm3x3 = mm3x3,
            Mm3 = mm3,
            MmT3x3S1x1 = Has("project_mm_t"),
            SumKernelSize = concatenates ? "" : joined,
            CatReduceKernelSize = concatenates ? joined : "",
            SpaceGateQuery = Has("s_gate_q"),
            SpaceGateVisual = Has("s_gate_v"),
            TimeGateQuery = Has("t_gate_q"),
            TimeGateVisual = Has("t_gate_v"),
        };

        // A kernel that both flags can mean is what the description says, or else that of the time branch.
        (bool Volume, bool Frame) Behind(string name, bool described)
        {
            if (!IsVolume(name)) return (false, false);
            bool isFrame = Kernel(name) == "1-3-3" && (described || options.TimeKernelSize != "1-3-3");
            return (!isFrame, isFrame);
        }
    }

    /// <summary><c>--sep_seq_t_pwam</c>, <c>--sep_seq_t_pwam_inner</c>.</summary>
    private VideoFusionOptions Sequential(VideoFusionOptions options)
    {
        bool isInner = !Has("temporal_vis_project_q");
        return options with
        {
            SepSeqTPwam = !isInner,
            SepSeqTPwamInner = isInner,
            TimeKernelSize = Kernel("f_query_t_q"),
            SequentialKernelSize = Kernel("f_query_s_q"),
            SpaceKernelSize = Kernel("f_query_s"),
        };
    }

    private bool Has(string name) => _weights.ContainsKey(name);

    private bool IsVolume(string name) => _weights.TryGetValue(name, out Tensor? weight) && weight.Rank == 5;

    /// <summary>A convolution's kernel as its flag spells it; where the file lacks it, any: its loading will name what is missing.</summary>
    private string Kernel(string name) => _weights.TryGetValue(name, out Tensor? weight) && weight.Rank > 2 ? string.Join('-', weight.Shape.ToArray()[2..]) : "1-1-1";
}
