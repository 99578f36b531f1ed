using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Lavt.Nn.Weights;
using Lavt.Options;

namespace Lavt.Training;

/// <summary>
/// The files of a run. Every epoch's checkpoint is written once; <c>last</c> and <c>best</c> are further names (hard links) of
/// the same file, so that they cost neither time nor room.
/// </summary>
public sealed partial class RunFiles
{
    private readonly string _folder;
    private readonly string _id;
    private readonly int _keep;

    /// <summary>The files of the run that <c>--model_id</c> names; folders are made.</summary>
    /// <param name="options">The run's name, and the folder of its checkpoints.</param>
    /// <param name="logRoot">The folder in which the run gets one for its logs.</param>
    public RunFiles(TrainingOptions options, string logRoot)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.ModelId.Length == 0 || options.ModelId.AsSpan().IndexOfAny('/', '\\') >= 0)
            throw new OptionException("--model_id", $"must be a plain name, got '{options.ModelId}'");
        (_folder, _id, _keep) = (options.OutputFolder, options.ModelId, options.Keep);
        LogFolder = Path.Combine(logRoot, _id);
        OutputPath.RequireWritable(Last);
        OutputPath.MakeFolder(LogFolder);
    }

    /// <summary>The folder of logs.</summary>
    public string LogFolder { get; }

    /// <summary>The newest checkpoint.</summary>
    public string Last => Path.Combine(_folder, $"model_last_{_id}.pth");

    /// <summary>The checkpoint with the best overall IoU on the validation split, under the published name.</summary>
    public string Best => Path.Combine(_folder, $"model_best_{_id}.pth");

    /// <summary>The checkpoint of an epoch, counted from 0.</summary>
    public string OfEpoch(int epoch) => Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"model_epoch_{_id}_{epoch:D3}.pth"));

    /// <summary>Removes what a killed run left behind.</summary>
    public void RemoveLeftovers()
    {
        foreach (string file in new[] { Last, Best }.Concat(EpochFiles()))
            AtomicFile.RemoveLeftovers(file);
    }

    /// <summary>Makes <paramref name="name"/> another name of a checkpoint, in place of what had it.</summary>
    public static void Link(string checkpoint, string name)
    {
        string temporary = name + ".link";
        File.Delete(temporary);
        // A file system without hard links gets a copy; the rename makes either appear whole.
        if (!OperatingSystem.IsLinux() || HardLink(checkpoint, temporary) != 0)
            File.Copy(checkpoint, temporary);
        File.Move(temporary, name, overwrite: true);
    }

    /// <summary>Removes the oldest epochs' checkpoints beyond <c>--keep</c>.</summary>
    public void Prune()
    {
        foreach (string file in EpochFiles().OrderDescending(StringComparer.Ordinal).Skip(_keep))
            File.Delete(file);
    }

    private string[] EpochFiles()
    {
        var form = new Regex($@"^model_epoch_{Regex.Escape(_id)}_\d{{3,}}\.pth$");
        return [.. Directory.EnumerateFiles(_folder, "model_epoch_*.pth").Where(file => form.IsMatch(Path.GetFileName(file)))];
    }

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int HardLink(string existing, string name);
}
