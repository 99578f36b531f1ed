using Lavt.Nn.Weights;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>
/// Checks a folder of golden files, numbers that the published PyTorch code gives for known inputs and weights: modules,
/// whole models, training, manifests, checkpoints and data, each recognised by the folder that it lies in.
/// </summary>
public static class GoldenRunner
{
    /// <summary>Checks everything below a folder.</summary>
    /// <param name="folder">The folder, or a part of it, or a single file.</param>
    /// <param name="report">Where the results go.</param>
    /// <param name="include">Which files to check, by path relative to the folder; null: all.</param>
    /// <param name="progress">Told of each file after it was checked.</param>
    /// <param name="products">The type of products in linear layers; with another one than F32 only the masks of whole models are checked.</param>
    /// <param name="device">Where modules, losses, optimizers and whole models compute.</param>
    /// <exception cref="DirectoryNotFoundException">There is nothing at <paramref name="folder"/>.</exception>
    public static void Run(string folder, GoldenReport report, Func<string, bool>? include = null, Action<string>? progress = null, DType products = DType.F32, Device device = default)
    {
        bool single = File.Exists(folder);
        if (!single && !Directory.Exists(folder)) throw new DirectoryNotFoundException($"{folder}: no such folder of golden files");
        string[] files = single ? [folder] : [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        foreach (string file in files)
        {
            if (include is not null && !include(Path.GetRelativePath(folder, file))) continue;
            int before = report.Results.Count;
            try
            {
                if (products == DType.F32) Check(file, report, device);
                else CheckPrecision(file, report, products);
            }
            catch (Exception failure) when (failure is not OutOfMemoryException)
            {
                report.Check(file, "run", false, $"{failure.GetType().Name}: {failure.Message}");
            }
            // One file's model must not stay in memory while the next one is built.
            GC.Collect();
            GC.WaitForPendingFinalizers();
            HostAllocator.Trim();
            if (report.Results.Count > before) progress?.Invoke(file);
        }
    }

    private static void Check(string path, GoldenReport report, Device device)
    {
        string folder = Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(path))) ?? "", name = Path.GetFileName(path);
        if (folder == "checkpoints") CheckpointChecks.Run(path, report);
        else if (name.EndsWith(".safetensors", StringComparison.Ordinal)) Tensors(path, folder, report, device);
        else if (name.StartsWith("state_dicts", StringComparison.Ordinal)) ManifestChecks.StateDicts(path, report);
        else if (name.StartsWith("parameter_groups", StringComparison.Ordinal)) ManifestChecks.Groups(path, report);
        else DataChecks.Run(path, report);
    }

    private static void CheckPrecision(string path, GoldenReport report, DType products)
    {
        if (!path.EndsWith(".safetensors", StringComparison.Ordinal)) return;
        using GoldenFile file = new(path);
        if (file.Has("command")) PrecisionChecks.Run(file, report, products);
    }

    private static void Tensors(string path, string folder, GoldenReport report, Device device)
    {
        using GoldenFile file = new(path);
        if (folder == "full" || file.Has("command")) FullModelChecks.Run(file, report, device);
        else if (folder == "training") TrainingChecks.Run(file, report, device);
        else if (file.Has("module")) ModuleChecks.Run(file, report, device);
        else throw new WeightFileException(path, "is no golden file: its metadata names neither a module nor a command");
    }
}
