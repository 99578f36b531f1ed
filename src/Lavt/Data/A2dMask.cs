using Lavt.Data.Hdf5;
using Lavt.Imaging;

namespace Lavt.Data;

/// <summary>Reads the masks of A2D-Sentences: HDF5 files with one mask for each actor of a frame.</summary>
/// <remarks>
/// <c>instance</c> lists the actors' numbers, <c>reMask</c> their masks as (actors, columns, rows), since Matlab wrote the
/// files; with one actor the first axis is missing.
/// </remarks>
public static class A2dMask
{
    /// <summary>Whether libhdf5 is installed.</summary>
    public static bool IsSupported => Hdf5Library.IsInstalled;

    /// <summary>The version of libhdf5, such as 1.10.8; null where it is not installed.</summary>
    public static string? LibraryVersion => IsSupported ? Hdf5Library.Instance.Version : null;

    /// <summary>Reads the mask of one actor.</summary>
    /// <param name="path">The file of the frame.</param>
    /// <param name="instance">The number of the actor.</param>
    /// <param name="place">Whom it is read for, for error messages.</param>
    /// <param name="into">Gets size and pixels: 0 and 1.</param>
    /// <exception cref="DataException">The file is missing or damaged, or does not hold the actor; the message names it.</exception>
    /// <exception cref="DllNotFoundException">libhdf5 is not installed; the message says how to get it.</exception>
    public static void Read(string path, long instance, string place, Mask into)
    {
        ArgumentNullException.ThrowIfNull(into);
        using Hdf5File file = new(path, place);
        double[] instances = file.ReadDoubles("instance").Values;
        (byte[] masks, int[] shape) = file.ReadBytes("reMask");
        if (shape.Length == 2) shape = [1, .. shape];
        if (shape.Length != 3 || shape[0] != instances.Length)
            throw Broken($"'reMask' has the shape [{string.Join(", ", shape)}] for {instances.Length} actors", "restore the file");
        int index = Array.IndexOf(instances, instance);
        if (index < 0) throw Broken($"there is no actor {instance}, only {string.Join(", ", instances)}", "restore the file, or remove the sentence from the annotations");
        (int columns, int rows) = (shape[1], shape[2]);
        into.Reshape(rows, columns);
        Span<byte> pixels = into.Pixels;
        ReadOnlySpan<byte> mask = masks.AsSpan(index * rows * columns, rows * columns);
        for (int x = 0, from = 0; x < columns; x++)
        {
            for (int y = 0; y < rows; y++, from++) pixels[y * columns + x] = mask[from] == 0 ? (byte)0 : (byte)1;
        }

        DataException Broken(string text, string advice) => new(new DataProblem(path, place, text), advice);
    }

    /// <summary>Writes the masks of a frame as the data set has them.</summary>
    /// <param name="path">The file to write.</param>
    /// <param name="instances">The number of each actor.</param>
    /// <param name="masks">The mask of each actor, all of one size.</param>
    /// <exception cref="IOException">The file could not be written.</exception>
    /// <exception cref="DllNotFoundException">libhdf5 is not installed; the message says how to get it.</exception>
    public static void Write(string path, IReadOnlyList<long> instances, IReadOnlyList<Mask> masks)
    {
        ArgumentNullException.ThrowIfNull(instances);
        ArgumentNullException.ThrowIfNull(masks);
        ArgumentOutOfRangeException.ThrowIfZero(masks.Count, "masks.Count");
        ArgumentOutOfRangeException.ThrowIfNotEqual(masks.Count, instances.Count, "masks.Count");
        (int rows, int columns) = (masks[0].Rows, masks[0].Columns);
        byte[] values = new byte[masks.Count * rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            (int rest, int y) = Math.DivRem(i, rows);
            (int mask, int x) = Math.DivRem(rest, columns);
            values[i] = masks[mask].Pixels[y * columns + x];
        }
        int[] shape = masks.Count == 1 ? [columns, rows] : [masks.Count, columns, rows];
        Hdf5Writer.Write(path, ("instance", [.. instances.Select(number => (double)number)]), ("reMask", values, shape));
    }
}
