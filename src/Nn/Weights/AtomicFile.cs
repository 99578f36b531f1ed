using System.Runtime.InteropServices;

namespace Lavt.Nn.Weights;

/// <summary>
/// Replaces files so that whoever opens one, also after a crash or power cut, finds the old content or the new one and
/// never a part: the bytes go to a temporary file in the same folder, are forced to the disk, and the file is renamed.
/// </summary>
public static partial class AtomicFile
{
    private const string Suffix = ".tmp";

    /// <summary>Writes a file.</summary>
    /// <param name="path">
    /// The file; one that exists is replaced (a link's target, not the link) and its permissions are kept. A device or pipe,
    /// such as <c>/dev/stdout</c>, is not replaced but written to.
    /// </param>
    /// <param name="write">Writes the content.</param>
    /// <param name="expectedBytes">
    /// The size if it is known: the space is reserved first, so that a disk that is too full says so at once. 0: not known.
    /// </param>
    /// <exception cref="IOException">The disk is full or failed; the old file is unchanged and nothing is left behind.</exception>
    public static void Write(string path, Action<Stream> write, long expectedBytes = 0)
    {
        ArgumentNullException.ThrowIfNull(write);
        if (IsDeviceOrPipe(path))
        {
            WriteTo(path, write);
            return;
        }
        string target = new FileInfo(path).LinkTarget is null ? Path.GetFullPath(path) : File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName;
        string folder = Path.GetDirectoryName(target)!;
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"{path}: the folder {folder} does not exist; make it first");
        string temporary = Path.Combine(folder, TemporaryPrefix(target) + Guid.NewGuid().ToString("N")[..8] + Suffix);
        try
        {
            WriteThrough(temporary, write, expectedBytes);
            if (!OperatingSystem.IsWindows() && File.Exists(target)) File.SetUnixFileMode(temporary, File.GetUnixFileMode(target));
            File.Move(temporary, target, overwrite: true);
            SyncFolder(folder);
        }
        catch (Exception error)
        {
            Remove(temporary);
            // .NET reports a file that outgrows the user's limit (ulimit -f) as an argument out of range.
            if (error is not (IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)) throw;
            throw new IOException(Explain(path, folder, expectedBytes, error.Message), error);
        }
    }

    /// <summary>Removes what writers of <paramref name="path"/> left behind that were killed. Call it while nobody writes the file.</summary>
    /// <returns>How many files were removed.</returns>
    public static int RemoveLeftovers(string path)
    {
        string target = Path.GetFullPath(path);
        string[] leftovers = Directory.GetFiles(Path.GetDirectoryName(target)!, TemporaryPrefix(target) + "????????" + Suffix);
        foreach (string leftover in leftovers) File.Delete(leftover);
        return leftovers.Length;
    }

    /// <summary>Whether the path names, maybe through links, something other than a regular file or a folder.</summary>
    internal static unsafe bool IsDeviceOrPipe(string path)
    {
        // struct statx is the same on every architecture: 256 bytes, with the kind and the permissions at 28.
        const int Size = 256, ModeAt = 28, CurrentFolder = -100, KindIsWanted = 1, Kind = 0xF000, Regular = 0x8000, Folder = 0x4000;
        if (!OperatingSystem.IsLinux()) return false;
        byte* status = stackalloc byte[Size];
        return Status(CurrentFolder, path, 0, KindIsWanted, status) == 0 && (*(ushort*)(status + ModeAt) & Kind) is not (Regular or Folder);
    }

    private static void WriteTo(string path, Action<Stream> write)
    {
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Write);
            write(stream);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{path} could not be written to: {error.Message.TrimEnd('.')}; give another file", error);
        }
    }

    private static string TemporaryPrefix(string target) => $".{Path.GetFileName(target)}.";

    private static void WriteThrough(string temporary, Action<Stream> write, long expectedBytes)
    {
        using FileStream stream = new(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            BufferSize = 1 << 16,
            PreallocationSize = expectedBytes,
        });
        write(stream);
        stream.Flush(flushToDisk: true);
    }

    /// <summary>Removes the temporary file; a disk that fails at this too must not hide the first error.</summary>
    private static void Remove(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // RemoveLeftovers gets it later.
        }
    }

    private static string Explain(string path, string folder, long needed, string cause)
    {
        string sizes = needed > 0 ? $"{needed} bytes are needed, " : "";
        string free = "an unknown number of";
        try
        {
            free = new DriveInfo(folder).AvailableFreeSpace.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // The disk that just failed may not answer; the message says so.
        }
        return $"{path} was not written: {cause.TrimEnd('.')} ({sizes}{free} bytes are free in {folder}). The file is as it was before; make room or choose another folder, and try again";
    }

    /// <summary>
    /// Forces the new name to the disk. .NET has no call for this; other systems than Linux either have no need or no way.
    /// </summary>
    private static void SyncFolder(string folder)
    {
        if (!OperatingSystem.IsLinux()) return;
        int descriptor = Open(folder, 0);
        if (descriptor < 0) throw SystemError();
        try
        {
            // EINVAL: the file system does not know this operation on folders (some network file systems).
            const int InvalidArgument = 22;
            if (Sync(descriptor) != 0 && Marshal.GetLastPInvokeError() != InvalidArgument) throw SystemError();
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    private static IOException SystemError() => new(Marshal.GetLastPInvokeErrorMessage());

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Status(int folder, string path, int flags, uint wanted, byte* status);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
