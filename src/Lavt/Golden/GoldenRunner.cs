using Lavt.Kernels.Cuda;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>Where golden numbers are computed again.</summary>
/// <param name="Device">The device.</param>
/// <param name="Products">To what the layers of modules round the operands of their products there; see <see cref="Nn.Module.UseProducts"/>.</param>
public readonly record struct GoldenPlace(Device Device, ProductPrecision Products = ProductPrecision.Float32);

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
    /// <param name="precision">The arithmetic of whole models; with another one than float32 only their masks are checked.</param>
    /// <param name="place">Where modules, losses, optimizers and whole models compute, and how modules do.</param>
    /// <exception cref="DirectoryNotFoundException">There is nothing at <paramref name="folder"/>.</exception>
    /// <exception cref="InvalidDataException">Nothing there is a golden file.</exception>
    public static void Run(string folder, GoldenReport report, Func<string, bool>? include = null, Action<string>? progress = null, Precision precision = Precision.Float32, GoldenPlace place = default)
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
                if (precision == Precision.Float32) Check(file, report, place);
                else CheckPrecision(file, report, new MachineOptions { DeviceNames = place.Device.ToString(), Precision = precision });
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
        if (report.Results.Count + report.Skipped.Count == 0)
            throw new InvalidDataException($"{folder}: holds no golden files to compare with; give tests/golden of this project, or a part of it");
    }

    private static void Check(string path, GoldenReport report, GoldenPlace place)
    {
        string folder = Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(path))) ?? "", name = Path.GetFileName(path);
        if (folder == "checkpoints") CheckpointChecks.Run(path, report);
        else if (name.EndsWith(".safetensors", StringComparison.Ordinal)) Tensors(path, folder, report, place);
        else if (name.StartsWith("state_dicts", StringComparison.Ordinal)) ManifestChecks.StateDicts(path, report);
        else if (name.StartsWith("parameter_groups", StringComparison.Ordinal)) ManifestChecks.Groups(path, report);
        else DataChecks.Run(path, report);
    }

    private static void CheckPrecision(string path, GoldenReport report, MachineOptions machine)
    {
        if (!path.EndsWith(".safetensors", StringComparison.Ordinal)) return;
        using GoldenFile file = new(path);
        if (file.Has("command")) PrecisionChecks.Run(file, report, machine);
    }

    private static void Tensors(string path, string folder, GoldenReport report, GoldenPlace place)
    {
        using GoldenFile file = new(path);
        if (folder == "full" || file.Has("command")) FullModelChecks.Run(file, report, place.Device);
        else if (folder == "training") TrainingChecks.Run(file, report, place.Device);
        else if (file.Has("module")) ModuleChecks.Run(file, report, place);
        else throw new WeightFileException(path, "is no golden file: its metadata names neither a module nor a command");
    }
}
