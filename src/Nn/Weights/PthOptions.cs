namespace Lavt.Nn.Weights;

/// <summary>How the pickles in checkpoints are read.</summary>
internal static class PthOptions
{
    /// <summary>The largest pickle: a thousand times that of a large model, small beside its weights.</summary>
    public const int MaxPickleBytes = 256 << 20;

    /// <summary>Options whose tensors come from <paramref name="builder"/>.</summary>
    public static PickleOptions Make(InputFile file, PthTensorBuilder builder) => new()
    {
        Name = file.Path,
        AllowedGlobals = PthTypes.AllowedGlobals,
        MaxOperations = 50_000_000,
        PersistentLoad = builder.Load,
        Construct = builder.Construct,
    };

    /// <summary>Options that only tell which storages there are.</summary>
    public static PickleOptions Survey(InputFile file, Action<PthStorageId> found) => new()
    {
        Name = file.Path,
        AllowedGlobals = PthTypes.AllowedGlobals,
        MaxOperations = 50_000_000,
        PersistentLoad = id =>
        {
            found(PthStorageId.Parse(id, file));
            return null;
        },
    };
}
