using System.Text;

namespace Lavt.Nn.Weights;

/// <summary>The format of PyTorch 1.6 and later: a zip file with <c>data.pkl</c> and a member for each storage under one folder.</summary>
internal static class PthZip
{
    private const string PickleName = "data.pkl";

    /// <summary>Reads the checkpoint's tree.</summary>
    public static object? Read(InputFile file)
    {
        ZipDirectory zip = ZipDirectory.Read(file);
        ZipEntry pickle = FindPickle(file, zip);
        string folder = pickle.Name[..^PickleName.Length];
        PthTensorBuilder builder = new(file, id => Locate(file, zip, folder, id), IsBigEndian(file, zip, folder));
        PickleOptions options = PthOptions.Make(file, builder);
        return Pickle.Load(zip.ReadAll(pickle, PthOptions.MaxPickleBytes), options, out _);
    }

    private static ZipEntry FindPickle(InputFile file, ZipDirectory zip)
    {
        ZipEntry[] found = [.. zip.Entries.Values.Where(entry => entry.Name == PickleName || entry.Name.EndsWith("/" + PickleName, StringComparison.Ordinal))];
        return found.Length switch
        {
            1 => found[0],
            0 => throw file.Error("the zip file has no data.pkl; it was not written by torch.save"),
            _ => throw file.Error($"the zip file has {found.Length} files data.pkl; it was not written by torch.save"),
        };
    }

    private static bool IsBigEndian(InputFile file, ZipDirectory zip, string folder)
    {
        if (!zip.Entries.TryGetValue(folder + "byteorder", out ZipEntry? entry)) return false;
        string order = Encoding.Latin1.GetString(zip.ReadAll(entry, 16));
        return order switch
        {
            "little" => false,
            "big" => true,
            _ => throw file.Error($"the byte order is '{order}', expected little or big; the file is damaged"),
        };
    }

    private static StoragePlace Locate(InputFile file, ZipDirectory zip, string folder, PthStorageId id) =>
        zip.Entries.TryGetValue(folder + "data/" + id.Key, out ZipEntry? entry)
            ? new StoragePlace(entry.Offset, entry.Length, entry)
            : throw file.Error($"the storage '{folder}data/{id.Key}' is missing; the file is damaged");
}
