using System.Buffers.Binary;
using System.Text.Json;
using Lavt.Tensors;

namespace Lavt.Nn.Weights;

/// <summary>The JSON header of a safetensors file, checked.</summary>
/// <param name="Entries">The tensors in the order of their bytes.</param>
/// <param name="Metadata">The texts beside them.</param>
internal sealed record SafetensorsHeader(IReadOnlyList<SafetensorsEntry> Entries, IReadOnlyDictionary<string, string> Metadata)
{
    private const string MetadataKey = "__metadata__";
    private const int LengthBytes = 8;

    private static readonly (string Name, DType Type)[] Types =
    [
        ("F32", DType.F32), ("F64", DType.F64), ("F16", DType.F16), ("BF16", DType.BF16), ("I8", DType.I8),
        ("I16", DType.I16), ("I32", DType.I32), ("I64", DType.I64), ("U8", DType.U8), ("BOOL", DType.Bool),
    ];

    /// <summary>Reads and checks the header.</summary>
    public static SafetensorsHeader Read(InputFile file)
    {
        if (file.Length < LengthBytes) throw file.Error("the file is too short for safetensors; it is cut off or of another format");
        Span<byte> prefix = stackalloc byte[LengthBytes];
        file.Read(prefix, 0);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > SafetensorsFile.MaxHeader || length > (ulong)(file.Length - LengthBytes))
            throw file.Error($"the header is said to have {length} bytes (the file has {file.Length}, at most {SafetensorsFile.MaxHeader} are allowed); this is no safetensors file, or it is cut off");
        byte[] json = new byte[length];
        file.Read(json, LengthBytes);
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false });
            return Parse(file, document.RootElement, LengthBytes + (long)length);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw file.Error($"the header is damaged: {error.Message}", error);
        }
    }

    /// <summary>The header's bytes, with its length in front, padded so that the numbers start at a multiple of 64.</summary>
    public static byte[] Write(IReadOnlyCollection<KeyValuePair<string, Tensor>> tensors, IEnumerable<KeyValuePair<string, string>> metadata)
    {
        using MemoryStream bytes = new();
        bytes.Write(new byte[LengthBytes]);
        using (Utf8JsonWriter json = new(bytes, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            WriteMetadata(json, metadata);
            WriteTensors(json, tensors);
            json.WriteEndObject();
        }
        while (bytes.Length % 64 != 0) bytes.WriteByte((byte)' ');
        byte[] header = bytes.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - LengthBytes);
        return header;
    }

    private static void WriteMetadata(Utf8JsonWriter json, IEnumerable<KeyValuePair<string, string>> metadata)
    {
        bool any = false;
        foreach ((string key, string text) in metadata)
        {
            if (!any) json.WriteStartObject(MetadataKey);
            any = true;
            json.WriteString(key, text);
        }
        if (any) json.WriteEndObject();
    }

    private static void WriteTensors(Utf8JsonWriter json, IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        HashSet<string> names = new(StringComparer.Ordinal) { MetadataKey };
        long offset = 0;
        foreach ((string name, Tensor tensor) in tensors)
        {
            if (!names.Add(name)) throw new ArgumentException($"the tensor name '{name}' is used twice or reserved; give each tensor a name of its own");
            json.WriteStartObject(name);
            json.WriteString("dtype", Array.Find(Types, type => type.Type == tensor.DType).Name);
            json.WriteStartArray("shape");
            foreach (int extent in tensor.Shape) json.WriteNumberValue(extent);
            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(offset);
            offset += TensorBytes.Size(tensor);
            json.WriteNumberValue(offset);
            json.WriteEndArray();
            json.WriteEndObject();
        }
    }

    private static SafetensorsHeader Parse(InputFile file, JsonElement root, long dataStart)
    {
        Dictionary<string, string> metadata = new(StringComparer.Ordinal);
        List<SafetensorsEntry> entries = [];
        foreach (JsonProperty property in root.EnumerateObject())
        {
            if (property.Name != MetadataKey) entries.Add(ParseEntry(file, property, dataStart));
            else
                foreach (JsonProperty text in property.Value.EnumerateObject()) metadata.Add(text.Name, text.Value.GetString() ?? "");
        }
        entries.Sort((a, b) => (a.Offset, a.Bytes).CompareTo((b.Offset, b.Bytes)));
        long end = dataStart;
        foreach (SafetensorsEntry entry in entries)
        {
            if (entry.Offset != end) throw file.Error($"the bytes of tensor '{entry.Name}' {(entry.Offset < end ? "are shared with another" : "leave a hole before them")}; the file is damaged");
            end += entry.Bytes;
        }
        if (end != file.Length) throw file.Error($"the tensors end at byte {end}, the file at byte {file.Length}; it is cut off or damaged, get it again");
        return new SafetensorsHeader(entries, metadata);
    }

    private static SafetensorsEntry ParseEntry(InputFile file, JsonProperty property, long dataStart)
    {
        string name = property.Name;
        string? typeName = property.Value.GetProperty("dtype").GetString();
        (string? found, DType type) = Array.Find(Types, type => type.Name == typeName);
        if (found is null)
            throw file.Error($"tensor '{name}' is of type {typeName}; {string.Join(", ", Types.Select(t => t.Name))} can be read, convert it first");
        Shape shape = ParseShape(file, name, property.Value.GetProperty("shape"));
        JsonElement offsets = property.Value.GetProperty("data_offsets");
        if (offsets.GetArrayLength() != 2) throw file.Error($"tensor '{name}' has {offsets.GetArrayLength()} data_offsets, expected 2; the file is damaged");
        long begin = offsets[0].GetInt64(), end = offsets[1].GetInt64();
        if (begin < 0 || end < begin || end > file.Length - dataStart || end - begin != (decimal)shape.Count * type.Size())
            throw file.Error($"tensor '{name}' of shape {shape} and type {typeName} is said to lie at bytes {begin} to {end} of {file.Length - dataStart}; the file is damaged");
        return new SafetensorsEntry(name, type, shape, dataStart + begin);
    }

    private static Shape ParseShape(InputFile file, string name, JsonElement extents)
    {
        int rank = extents.GetArrayLength();
        if (rank > Shape.MaxRank) throw file.Error($"tensor '{name}' has {rank} dimensions; at most {Shape.MaxRank} can be read");
        int[] dims = new int[rank];
        for (int i = 0; i < rank; i++)
            if (!extents[i].TryGetInt32(out dims[i]) || dims[i] < 0) throw file.Error($"tensor '{name}' has extent {extents[i].GetRawText()}; whole numbers from 0 to {int.MaxValue} can be read");
        try
        {
            return new Shape(dims);
        }
        catch (OverflowException)
        {
            throw file.Error($"tensor '{name}' has more elements than any file; the file is damaged");
        }
    }
}
