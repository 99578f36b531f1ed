namespace Lavt.Imaging;

/// <summary>Writes encoded pictures.</summary>
internal static class PictureFile
{
    /// <summary>Writes a file; where that fails, none that is cut off is left behind.</summary>
    /// <exception cref="IOException">The disk is full or failed.</exception>
    public static void Write(string path, byte[] bytes)
    {
        try
        {
            File.WriteAllBytes(path, bytes);
        }
        catch (IOException) when (File.Exists(path))
        {
            File.Delete(path);
            throw;
        }
    }
}
