using Lavt.Tensors;

namespace Lavt.Nn.Weights;

/// <summary>PyTorch's names for element types, in both directions.</summary>
internal static class PthTypes
{
    private static readonly (string Storage, DType Type)[] Storages =
    [
        ("FloatStorage", DType.F32), ("DoubleStorage", DType.F64), ("HalfStorage", DType.F16), ("BFloat16Storage", DType.BF16),
        ("CharStorage", DType.I8), ("ShortStorage", DType.I16), ("IntStorage", DType.I32), ("LongStorage", DType.I64),
        ("ByteStorage", DType.U8), ("BoolStorage", DType.Bool),
    ];

    private static readonly string[] UnsupportedStorages =
    [
        "ComplexFloatStorage", "ComplexDoubleStorage", "QInt8Storage", "QUInt8Storage", "QInt32Storage", "QUInt4x2Storage", "QUInt2x4Storage",
    ];

    /// <summary>Classes and functions that a checkpoint may name. None is ever run; the list keeps out files that want something else.</summary>
    public static readonly IReadOnlySet<string> AllowedGlobals = MakeAllowed();

    /// <summary>The types that can be read, for messages.</summary>
    public const string Supported = "float32, float64, float16, bfloat16, int8, int16, int32, int64, uint8 and bool";

    /// <summary>The element type of a storage class.</summary>
    public static bool TryFind(PickleGlobal storage, out DType type)
    {
        int at = Array.FindIndex(Storages, entry => entry.Storage == storage.Name);
        type = at >= 0 ? Storages[at].Type : default;
        return at >= 0 && storage.Module is "torch" or "torch.cuda";
    }

    /// <summary>The storage class of an element type.</summary>
    public static string StorageName(DType type) => Storages.First(entry => entry.Type == type).Storage;

    private static HashSet<string> MakeAllowed()
    {
        HashSet<string> names =
        [
            "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
            "torch.nn.parameter.Parameter", "torch.Size",

            // Plain records in training checkpoints: options, configurations, numbers of NumPy.
            "argparse.Namespace", "yacs.config.CfgNode", "torch.device",
            "numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",

            // Known kinds of tensors that cannot be read, allowed here so that the message can say so.
            "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_qtensor", "torch.storage.UntypedStorage",
        ];
        foreach (string name in Storages.Select(entry => entry.Storage).Concat(UnsupportedStorages))
        {
            names.Add("torch." + name);
            names.Add("torch.cuda." + name);
        }
        foreach (string type in (string[])["float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool", "float8_e4m3fn", "float8_e5m2", "uint16", "uint32", "uint64"])
            names.Add("torch." + type);
        return names;
    }
}
