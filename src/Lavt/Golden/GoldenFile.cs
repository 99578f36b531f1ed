using System.Globalization;
using System.Text.Json;
using Lavt.Nn;
using Lavt.Nn.Weights;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>A golden <c>.safetensors</c> file: expected tensors, and in the header what they were computed from.</summary>
internal sealed class GoldenFile : IDisposable
{
    private readonly SafetensorsFile _file;
    private readonly Dictionary<string, double> _errors = [];

    public GoldenFile(string path)
    {
        _file = SafetensorsFile.Open(path);
        Name = System.IO.Path.GetFileNameWithoutExtension(path);
        if (!_file.Metadata.TryGetValue("float32_relative_error", out string? errors)) return;
        foreach (JsonProperty entry in JsonDocument.Parse(errors).RootElement.EnumerateObject())
            _errors[entry.Name] = entry.Value.ValueKind == JsonValueKind.Number ? entry.Value.GetDouble() : double.NaN;
    }

    public string Name { get; }

    public IEnumerable<string> Tensors => _file.Entries.Select(e => e.Name);

    public string this[string key] => _file.Metadata.TryGetValue(key, out string? value)
        ? value
        : throw new InvalidDataException($"{Name}: the golden file's metadata has no entry '{key}'");

    public bool Has(string key) => _file.Metadata.ContainsKey(key);

    public int Int(string key) => int.Parse(this[key], CultureInfo.InvariantCulture);

    public double Double(string key) => double.Parse(this[key], CultureInfo.InvariantCulture);

    public Tensor Read(string name) => _file.Read(name);

    /// <summary>PyTorch's float32 error of a tensor; NaN where its true value is zero, 0 where none is given.</summary>
    public double Error(string tensor) => _errors.GetValueOrDefault(tensor);

    /// <summary>The shape of an input, from the metadata.</summary>
    public Shape InputShape(string input) => new(JsonDocument.Parse(this["inputs"]).RootElement.GetProperty(input).EnumerateArray().Select(e => e.GetInt32()).ToArray());

    /// <summary>An input with uniform values.</summary>
    public Tensor Input(string input) => Deterministic.Uniform($"input.{input}", InputShape(input));

    /// <summary>Gives every parameter and buffer of a module its value, and reports keys and shapes that differ from the file's.</summary>
    public void SetParameters(Module module, GoldenReport report)
    {
        JsonElement expected = JsonDocument.Parse(this["parameters"]).RootElement;
        Dictionary<string, string> shapes = expected.EnumerateObject().ToDictionary(e => e.Name, e => $"[{string.Join(", ", e.Value.EnumerateArray())}]");
        Dictionary<string, string> own = module.State().ToDictionary(e => e.Name, e => e.Value.Shape.ToString());
        string[] different = [.. shapes.Where(e => own.GetValueOrDefault(e.Key) != e.Value).Select(e => e.Key), .. own.Keys.Except(shapes.Keys)];
        report.Check(Name, "state dict", different.Length == 0, different.Length == 0 ? $"{own.Count} entries" : $"different: {string.Join(", ", different)}");
        SetParameters(module);
    }

    /// <summary>Gives every parameter and buffer of a module the value that belongs to its key.</summary>
    public static void SetParameters(Module module, string prefix = "")
    {
        foreach (StateEntry entry in module.State())
            if (Deterministic.Parameter(prefix + entry.Name, entry.Value.Shape) is { } value)
                entry.Value.CopyFrom(value.To(entry.Value.DType));
        module.NotifyWeightsChanged();
    }

    public void Dispose() => _file.Dispose();
}
