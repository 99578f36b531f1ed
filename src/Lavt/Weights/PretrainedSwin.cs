using Lavt.Models;
using Lavt.Nn.Weights;
using Lavt.Tensors;

namespace Lavt.Weights;

/// <summary>Starts a backbone from the weights of a Swin or Video Swin classifier.</summary>
public static class PretrainedSwin
{
    private static readonly string[] Prefixes = ["module.", "backbone.", "encoder."];

    /// <summary>
    /// Loads <c>model</c>, <c>state_dict</c> or the bare dictionary of a file; prefixes are stripped, bias tables of another
    /// window are resized bicubically, a patch kernel over several frames is summed over time, and weights of pictures serve
    /// a backbone for clips, too. What the fusion modules and output norms need is not in such files and keeps its initial
    /// values.
    /// </summary>
    /// <exception cref="WeightFileException">The file is broken, or holds no Swin of this size.</exception>
    public static LoadReport Load(SwinBackbone backbone, string path)
    {
        if (PthFile.Read(path) is not PickleDict tree)
            throw new WeightFileException(path, "holds no dictionary; give Swin classification weights, such as swin_base_patch4_window12_384_22k.pth");
        PickleDict inner = tree.TryGet<PickleDict>("model", out PickleDict? model) ? model : tree.TryGet<PickleDict>("state_dict", out PickleDict? state) ? state : tree;
        Dictionary<string, Tensor> tensors = LavtCheckpoint.Tensors(inner).ToDictionary(e => Strip(e.Key), e => e.Value);
        Inflation.FitTo(backbone, tensors);
        LoadReport report = StateLoader.Load(backbone, tensors, path);
        LoadReport needed = report with { Missing = [.. report.Missing.Where(IsOfClassifier)], Unexpected = [] };
        return needed.ThrowUnlessComplete("give weights of the size that --swin_type names");
    }

    private static string Strip(string key)
    {
        foreach (string prefix in Prefixes)
            if (key.StartsWith(prefix, StringComparison.Ordinal)) key = key[prefix.Length..];
        return key;
    }

    /// <summary>Whether a classifier has this key of a language-aware backbone.</summary>
    private static bool IsOfClassifier(string key) =>
        !key.Contains(".fusion.", StringComparison.Ordinal) && !key.Contains(".res_gate.", StringComparison.Ordinal) && !key.StartsWith("norm", StringComparison.Ordinal);
}
