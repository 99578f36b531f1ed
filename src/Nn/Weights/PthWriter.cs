using Lavt.Tensors;

namespace Lavt.Nn.Weights;

/// <summary>Writes checkpoints in PyTorch's zip format.</summary>
internal static class PthWriter
{
    // torch.save names the folder in the zip file after the file; any name will do, a fixed one keeps equal content equal.
    private const string Folder = "archive/";

    /// <summary>Writes <paramref name="root"/> to a file, whole or not at all.</summary>
    public static void Write(string path, object? root, bool keepNamespace)
    {
        (byte[] pickle, IReadOnlyList<Tensor> storages) = PickleWriter.Write(root, keepNamespace);
        long expected = pickle.Length + storages.Sum(tensor => TensorBytes.Size(tensor) + 256);
        AtomicFile.Write(path, stream => Write(new ZipStoreWriter(stream), pickle, storages), expected);
    }

    private static void Write(ZipStoreWriter zip, byte[] pickle, IReadOnlyList<Tensor> storages)
    {
        zip.Add(Folder + "data.pkl", pickle);
        zip.Add(Folder + "byteorder", "little"u8);
        for (int i = 0; i < storages.Count; i++)
        {
            // What lies on a GPU passes through the host tensor by tensor.
            using MemoryScope scope = MemoryScope.Begin();
            Tensor tensor = storages[i].Device.IsCuda ? storages[i].CopyTo(Device.Cpu) : storages[i];
            zip.Begin($"{Folder}data/{i}", TensorBytes.Size(tensor), TensorBytes.Checksum(tensor));
            TensorBytes.ForEach(tensor, zip.Write);
        }
        zip.Add(Folder + "version", "3\n"u8);
        zip.Finish();
    }
}
