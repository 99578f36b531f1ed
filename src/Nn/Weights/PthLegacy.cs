using System.Buffers.Binary;
using System.Numerics;

namespace Lavt.Nn.Weights;

/// <summary>
/// The format of PyTorch before 1.6: five pickles one after the other (magic number, protocol version, facts about the
/// system, the tree, the list of storages), then the storages, each a count and its numbers.
/// </summary>
internal static class PthLegacy
{
    private const int FirstPiece = 1 << 20;
    private const long ProtocolVersion = 1001;
    private static readonly BigInteger Magic = BigInteger.Parse("1950a86a20f9469cfc6c", System.Globalization.NumberStyles.HexNumber, null);

    /// <summary>Reads the checkpoint's tree.</summary>
    public static object? Read(InputFile file)
    {
        // The pickles stand in front of the weights and do not say how long they are: try a small piece, then larger ones.
        for (long length = FirstPiece; ; length *= 4)
        {
            byte[] piece = new byte[Math.Min(Math.Min(length, file.Length), PthOptions.MaxPickleBytes)];
            file.Read(piece, 0);
            Head head;
            try
            {
                head = ReadHead(file, piece);
            }
            catch (PickleException error) when (error.IsTruncation && length < Math.Min(file.Length, PthOptions.MaxPickleBytes))
            {
                continue;
            }
            PthTensorBuilder builder = new(file, id => Locate(file, head.Places, id), head.IsBigEndian);
            return Pickle.Load(piece.AsSpan(head.TreeStart), PthOptions.Make(file, builder), out _);
        }
    }

    /// <summary>Reads all five pickles, the tree only for the storages it names, because these follow it.</summary>
    private static Head ReadHead(InputFile file, ReadOnlySpan<byte> piece)
    {
        PickleOptions plain = new() { Name = file.Path };
        int at = 0;
        if (!Equals(Next(piece, plain, ref at), Magic))
            throw file.Error("this is a pickle, but not one of torch.save; load it with Python and save its tensors with torch.save");
        object? version = Next(piece, plain, ref at);
        if (version is not ProtocolVersion) throw file.Error($"protocol version {version} of the older PyTorch format, expected {ProtocolVersion}");
        bool bigEndian = Next(piece, plain, ref at) is PickleDict system && system.TryGet("little_endian", out bool little) && !little;

        Dictionary<string, PthStorageId> ids = new(StringComparer.Ordinal);
        int tree = at;
        Next(piece, PthOptions.Survey(file, id => ids.TryAdd(id.Key, id)), ref at);
        if (Next(piece, plain, ref at) is not List<object?> keys) throw file.Error("the list of storages is missing; the file is damaged");
        return new Head(tree, bigEndian, FindStorages(file, keys, ids, at));
    }

    private static object? Next(ReadOnlySpan<byte> piece, PickleOptions options, ref int at)
    {
        object? value = Pickle.Load(piece[at..], options, out int length);
        at += length;
        return value;
    }

    private static Dictionary<string, StoragePlace> FindStorages(InputFile file, List<object?> keys, Dictionary<string, PthStorageId> ids, long offset)
    {
        Dictionary<string, StoragePlace> places = new(StringComparer.Ordinal);
        Span<byte> count = stackalloc byte[8];
        foreach (object? key in keys)
        {
            if (key is not string name || !ids.TryGetValue(name, out PthStorageId? id))
                throw file.Error($"the file lists a storage '{key}' that no tensor uses; the file is damaged");
            file.Read(count, offset);
            if (BinaryPrimitives.ReadInt64LittleEndian(count) != id.Count)
                throw file.Error($"storage '{name}' should have {id.Count} elements, the file says {BinaryPrimitives.ReadInt64LittleEndian(count)}; the file is damaged");
            offset += count.Length;
            if (id.Bytes > file.Length - offset) throw file.Error($"the file ends within storage '{name}'; it is cut off, get it again");
            if (!places.TryAdd(name, new StoragePlace(offset, id.Bytes, null))) throw file.Error($"the file lists storage '{name}' twice; the file is damaged");
            offset += id.Bytes;
        }
        return places;
    }

    private static StoragePlace Locate(InputFile file, Dictionary<string, StoragePlace> places, PthStorageId id) =>
        places.TryGetValue(id.Key, out StoragePlace place) ? place : throw file.Error($"storage '{id.Key}' is missing; the file is damaged");

    /// <summary>What stands around the tree.</summary>
    /// <param name="TreeStart">The offset of the tree's pickle.</param>
    /// <param name="IsBigEndian">True if numbers have their most significant byte first.</param>
    /// <param name="Places">Where the storages lie.</param>
    private sealed record Head(int TreeStart, bool IsBigEndian, Dictionary<string, StoragePlace> Places);
}
