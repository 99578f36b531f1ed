using System.Text;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// Compiled kernels on disk, in <c>~/.cache/lavt/kernels</c> or the folder that LAVT_KERNEL_CACHE names. Files appear whole,
/// by renaming, and end with a hash of their content, so that any number of processes may share the folder and a file that
/// is cut off is not used. Where the folder cannot be written, kernels are compiled by every process.
/// </summary>
internal static class CubinCache
{
    private const int HashBytes = 32;

    /// <summary>The folder.</summary>
    public static string Folder => Environment.GetEnvironmentVariable("LAVT_KERNEL_CACHE") is { Length: > 0 } folder ? folder : Path.Combine(Root(), "lavt", "kernels");

    /// <summary>Reads what was written under a key.</summary>
    public static bool TryRead(string key, out byte[] cubin)
    {
        cubin = [];
        try
        {
            byte[] content = File.ReadAllBytes(FileOf(key));
            if (content.Length < HashBytes) return false;
            cubin = content[..^HashBytes];
            return content.AsSpan(cubin.Length).SequenceEqual(Hash(cubin));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Keeps a result under its key; a folder that cannot be written is no error.</summary>
    public static void Write(string key, byte[] cubin)
    {
        string file = FileOf(key), temporary = $"{file}.{Environment.ProcessId}.{Environment.CurrentManagedThreadId}";
        try
        {
            Directory.CreateDirectory(Folder);
            using (FileStream stream = File.Create(temporary))
            {
                stream.Write(cubin);
                stream.Write(Hash(cubin));
            }
            File.Move(temporary, file, overwrite: true);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            File.Delete(temporary);
        }
    }

    private static string Root()
    {
        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache) return cache;
        return Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home ? Path.Combine(home, ".cache") : Path.GetTempPath();
    }

    private static string FileOf(string key) => Path.Combine(Folder, key + ".cubin");

    private static byte[] Hash(byte[] cubin)
    {
        ContentHash hash = new();
        hash.Add(cubin);
        return Encoding.ASCII.GetBytes(hash.ToString());
    }
}
