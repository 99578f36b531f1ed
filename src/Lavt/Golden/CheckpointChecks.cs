using System.Text.RegularExpressions;
using Lavt.Nn.Weights;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>Checks the reading of <c>.pth</c> files: values bit for bit, and the refusal of files that would run code.</summary>
internal static partial class CheckpointChecks
{
    /// <summary>Checks one <c>.pth</c> file against the <c>NAME_expected.safetensors</c> beside it.</summary>
    public static void Run(string path, GoldenReport report)
    {
        if (!path.EndsWith(".pth", StringComparison.Ordinal)) return;
        string name = Path.GetFileName(path);
        if (name.StartsWith("malicious", StringComparison.Ordinal))
        {
            CheckRefused(path, name, report);
            return;
        }
        string expected = Path.Combine(Path.GetDirectoryName(path)!, FormatSuffix().Replace(name, "_expected.safetensors"));
        Dictionary<string, Tensor> actual = [];
        Flatten(PthFile.Read(path), "", actual);
        foreach ((string key, Tensor value) in SafetensorsFile.ReadAll(expected))
        {
            Tensor? found = actual.GetValueOrDefault(key);
            bool same = found is not null && Same(found, value);
            report.Check(name, key, same, found is null ? "missing" : same ? $"{found.DType}{found.Shape}" : $"values differ: {found}, expected {value}");
        }
    }

    private static void CheckRefused(string path, string name, GoldenReport report)
    {
        try
        {
            PthFile.Read(path);
            report.Check(name, "refusal", false, "the file was read");
        }
        catch (WeightFileException refusal)
        {
            report.Check(name, "refusal", true, refusal.Message);
        }
    }

    private static void Flatten(object? node, string path, Dictionary<string, Tensor> tensors)
    {
        switch (node)
        {
            case Tensor tensor:
                tensors[path] = tensor;
                break;
            case PickleDict dictionary:
                foreach ((object? key, object? value) in dictionary) Flatten(value, path.Length == 0 ? $"{key}" : $"{path}.{key}", tensors);
                break;
            case IReadOnlyList<object?> list:
                for (int i = 0; i < list.Count; i++) Flatten(list[i], $"{path}.{i}", tensors);
                break;
            default:
                break;
        }
    }

    /// <summary>Expected files hold every floating type as F32 and every other one as I64, and no tensors without axes.</summary>
    private static bool Same(Tensor found, Tensor expected)
    {
        if (found.Count != expected.Count) return false;
        return expected.DType == DType.F32
            ? found.To(DType.F32).ToArray<float>().AsSpan().SequenceEqual(expected.ToArray<float>())
            : found.To(DType.I64).ToArray<long>().AsSpan().SequenceEqual(expected.ToArray<long>());
    }

    [GeneratedRegex("_(zip|legacy)\\.pth$")]
    private static partial Regex FormatSuffix();
}
