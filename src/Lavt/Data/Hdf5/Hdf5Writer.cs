using System.Text;

namespace Lavt.Data.Hdf5;

/// <summary>Writes small HDF5 files of one list of numbers and one array of bytes.</summary>
internal static unsafe class Hdf5Writer
{
    private const uint Truncate = 2;

    /// <summary>Writes a file; one that exists is replaced.</summary>
    /// <exception cref="IOException">The file could not be written.</exception>
    /// <exception cref="DllNotFoundException">libhdf5 is not installed.</exception>
    public static void Write(string path, (string Name, double[] Values) numbers, (string Name, byte[] Values, int[] Shape) bytes)
    {
        Hdf5Library library = Hdf5Library.Instance;
        lock (Hdf5Library.Gate)
        {
            _ = library.SetErrorPrinter(0, null, null);
            long file;
            fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0")) file = library.CreateFile(name, Truncate, 0, library.FileAccess);
            if (file < 0) throw new IOException($"{path} was not written: libhdf5 could not make it; check the folder and the disk");
            bool written;
            fixed (double* first = numbers.Values)
            fixed (byte* second = bytes.Values)
            {
                written = Add(library, file, numbers.Name, library.NativeDouble, [numbers.Values.Length], first)
                    && Add(library, file, bytes.Name, library.NativeByte, bytes.Shape, second);
            }
            // What is still in memory is written now.
            if (library.CloseFile(file) < 0 || !written) throw new IOException($"{path} was not written: libhdf5 could not write the arrays; check the disk");
        }
    }

    private static bool Add(Hdf5Library library, long file, string name, long type, int[] shape, void* values)
    {
        ulong[] sides = [.. shape.Select(side => (ulong)side)];
        long space, dataset;
        fixed (ulong* side = sides) space = library.CreateSpace(shape.Length, side, null);
        fixed (byte* link = Encoding.UTF8.GetBytes(name + "\0")) dataset = library.CreateDataset(file, link, type, space, 0, 0, 0);
        bool written = dataset >= 0 && library.Write(dataset, type, 0, 0, 0, values) >= 0;
        if (dataset >= 0) written &= library.CloseDataset(dataset) >= 0;
        _ = library.CloseSpace(space);
        return written;
    }
}
