namespace Lavt.Nn.Weights;

/// <summary>Makes places for results before the work begins whose results they are.</summary>
public static class OutputPath
{
    /// <summary>Makes a folder and those that it lies in; one that is there already is as good.</summary>
    /// <exception cref="IOException">It cannot be made, or a file has its name.</exception>
    public static void MakeFolder(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{folder}: this folder cannot be made ({error.Message.TrimEnd('.')}); choose another", error);
        }
    }

    /// <summary>Makes the folder of a file that will be written later, and opens one there for a moment to see that it can be.</summary>
    /// <param name="file">The file; null: none.</param>
    /// <exception cref="IOException">No file can be written there, or a folder has its name.</exception>
    public static void RequireWritable(string? file)
    {
        if (file is null || AtomicFile.IsDeviceOrPipe(file)) return;
        if (Directory.Exists(file)) throw new IOException($"{file}: this is a folder; name a file to write");
        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        MakeFolder(folder);
        try
        {
            File.Create($"{file}.{Guid.NewGuid():N}.tmp", 1, FileOptions.DeleteOnClose).Dispose();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{file}: no file can be written in {folder} ({error.Message.TrimEnd('.')}); choose another place", error);
        }
    }
}
