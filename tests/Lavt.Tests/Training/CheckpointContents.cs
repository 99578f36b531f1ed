using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Lavt.Nn.Weights;
using Lavt.Tensors;

namespace Lavt.Tests.Training;

/// <summary>What a training checkpoint holds, in a form that can be compared.</summary>
internal static class CheckpointContents
{
    /// <summary>All tensors of a checkpoint, and the numbers that decide how a run goes on.</summary>
    public static Dictionary<string, object?> Of(string file)
    {
        Dictionary<string, object?> found = [];
        void Walk(object? value, string path)
        {
            if (value is PickleDict dict)
            {
                foreach ((object? key, object? inner) in dict)
                    Walk(inner, $"{path}/{key}");
            }
            else
            {
                found[path] = value is Tensor tensor ? Convert.ToHexString(SHA256.HashData(Bytes(tensor))) : value;
            }
        }

        var tree = (PickleDict)PthFile.Read(file)!;
        foreach (string part in new[] { "model", "lavt", "lr_scheduler", "epoch" })
            Walk(tree[part], part);
        if (tree.TryGet<PickleDict>("scaler", out PickleDict? scaler)) Walk(scaler, "scaler");
        Walk(tree.Get<PickleDict>("optimizer")["state"], "moments");
        return found;
    }

    private static byte[] Bytes(Tensor tensor) => tensor.DType == DType.F32
        ? MemoryMarshal.AsBytes<float>(tensor.ToArray<float>()).ToArray()
        : [.. tensor.To(DType.F32).ToArray<float>().SelectMany(BitConverter.GetBytes)];
}
