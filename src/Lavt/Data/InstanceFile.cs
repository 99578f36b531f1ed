using System.IO.MemoryMappedFiles;
using System.Text.Json;
using Lavt.Imaging;
using Microsoft.Win32.SafeHandles;

namespace Lavt.Data;

/// <summary>
/// Reads what is asked for of a COCO instances.json. The file is mapped, not loaded, and outlines are parsed only for the
/// objects that somebody refers to, a small part of all.
/// </summary>
internal sealed unsafe class InstanceFile
{
    private readonly string _path;
    private readonly IReadOnlySet<long> _wanted;
    private readonly Action<DataProblem> _report;

    private InstanceFile(string path, IReadOnlySet<long> wanted, Action<DataProblem> report)
    {
        _path = path;
        _wanted = wanted;
        _report = report;
    }

    /// <summary>All pictures by their number.</summary>
    public Dictionary<long, ReferImage> Images { get; } = [];

    /// <summary>The wanted objects by their number.</summary>
    public Dictionary<long, (long ImageId, Segmentation Segmentation)> Objects { get; } = [];

    /// <summary>Reads the pictures and the wanted objects; broken ones are reported and left out.</summary>
    /// <exception cref="DataException">The file is no JSON of this kind.</exception>
    public static InstanceFile Read(string path, IReadOnlySet<long> wanted, Action<DataProblem> report)
    {
        InstanceFile instances = new(path, wanted, report);
        long length = new FileInfo(path).Length;
        if (length is 0 or > int.MaxValue)
            throw new DataException(new DataProblem(path, "", $"the file has {length} bytes"), "restore the instances.json of the data set");
        using MemoryMappedFile map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        using MemoryMappedViewAccessor view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        SafeMemoryMappedViewHandle handle = view.SafeMemoryMappedViewHandle;
        byte* bytes = null;
        handle.AcquirePointer(ref bytes);
        try
        {
            instances.ReadRoot(new ReadOnlySpan<byte>(bytes, (int)length));
        }
        finally
        {
            handle.ReleasePointer();
        }
        return instances;
    }

    private void ReadRoot(ReadOnlySpan<byte> text)
    {
        Utf8JsonReader reader = new(text);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new FormatException("no object at the top");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool images = reader.ValueTextEquals("images"u8), annotations = reader.ValueTextEquals("annotations"u8);
                reader.Read();
                if (!images && !annotations) reader.Skip();
                else if (reader.TokenType != JsonTokenType.StartArray) throw new FormatException("images and annotations are lists");
                else ReadList(ref reader, images);
            }
        }
        catch (Exception failure) when (failure is JsonException or FormatException or InvalidOperationException)
        {
            DataProblem problem = new(_path, $"byte {reader.TokenStartIndex}", $"not the JSON of a COCO data set ({failure.Message})");
            throw new DataException(problem, "restore the instances.json of the data set", failure);
        }
    }

    private void ReadList(ref Utf8JsonReader reader, bool images)
    {
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject) throw new FormatException("the lists hold objects");
            if (images) ReadImage(ref reader);
            else ReadObject(ref reader);
        }
    }

    private void ReadImage(ref Utf8JsonReader reader)
    {
        long id = -1;
        string? name = null;
        int rows = 0, columns = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (TakeValue(ref reader, "id"u8)) id = reader.GetInt64();
            else if (TakeValue(ref reader, "file_name"u8)) name = reader.GetString();
            else if (TakeValue(ref reader, "height"u8)) rows = reader.GetInt32();
            else if (TakeValue(ref reader, "width"u8)) columns = reader.GetInt32();
            else reader.Skip();
        }
        if (name is null || rows < 1 || columns < 1 || (long)rows * columns > Picture.MaxPixels)
            _report(new DataProblem(_path, $"image {id}", $"file_name '{name}', height {rows} and width {columns} are no picture"));
        else
            Images[id] = new ReferImage(id, name, rows, columns);
    }

    private void ReadObject(ref Utf8JsonReader reader)
    {
        long id = -1, image = -1;
        // The outline mostly comes before the number that decides whether it is wanted: remember the place.
        Utf8JsonReader outline = default;
        bool found = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (TakeValue(ref reader, "id"u8)) id = reader.GetInt64();
            else if (TakeValue(ref reader, "image_id"u8)) image = reader.GetInt64();
            else if (TakeValue(ref reader, "segmentation"u8))
            {
                outline = reader;
                found = true;
                reader.Skip();
            }
            else reader.Skip();
        }
        if (!_wanted.Contains(id)) return;
        try
        {
            if (!found) throw new FormatException("there is no segmentation");
            Objects[id] = (image, SegmentationReader.Read(ref outline));
        }
        catch (Exception failure) when (failure is FormatException or InvalidOperationException)
        {
            _report(new DataProblem(_path, $"ann {id}, image {image}", failure.Message));
        }
    }

    /// <summary>If the property is this one, moves on to its value.</summary>
    private static bool TakeValue(ref Utf8JsonReader reader, ReadOnlySpan<byte> name) => reader.ValueTextEquals(name) && reader.Read();
}
