using System.Text;

namespace Lavt.Data.Hdf5;

/// <summary>Reads arrays of an HDF5 file. All calls in a process take turns.</summary>
internal sealed unsafe class Hdf5File : IDisposable
{
    private const int MaxRank = 8;
    private const long MaxBytes = 1L << 30;
    private const string Advice = "copy or extract the file again";
    private readonly Hdf5Library _library = Hdf5Library.Instance;
    private readonly string _path;
    private readonly string _place;
    private readonly long _file;

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="place">Whom it is read for, for error messages.</param>
    /// <exception cref="DataException">The file is missing, damaged or not HDF5.</exception>
    /// <exception cref="DllNotFoundException">libhdf5 is not installed.</exception>
    public Hdf5File(string path, string place)
    {
        (_path, _place) = (path, place);
        if (!File.Exists(path)) throw Broken("there is no such file", "check the path and that the data set is complete");
        lock (Hdf5Library.Gate)
        {
            // Its own error texts on standard error are for programmers; each thread has its own setting.
            _ = _library.SetErrorPrinter(0, null, null);
            fixed (byte* name = Bytes(path))
            {
                _file = _library.OpenFile(name, 0, _library.FileAccess);
                if (_file >= 0) return;
                bool known = _library.IsHdf5(name) > 0;
                throw Broken(known ? "the HDF5 file is cut off or damaged" : "the file is empty or no HDF5 file", Advice);
            }
        }
    }

    /// <summary>Reads an array of numbers as bytes.</summary>
    /// <exception cref="DataException">There is no such array, or it is damaged, too large or not of numbers.</exception>
    public (byte[] Values, int[] Shape) ReadBytes(string name) => Read<byte>(name, _library.NativeByte);

    /// <summary>Reads an array of numbers as doubles.</summary>
    /// <exception cref="DataException">There is no such array, or it is damaged, too large or not of numbers.</exception>
    public (double[] Values, int[] Shape) ReadDoubles(string name) => Read<double>(name, _library.NativeDouble);

    public void Dispose()
    {
        lock (Hdf5Library.Gate) _ = _library.CloseFile(_file);
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text + "\0");

    private (T[] Values, int[] Shape) Read<T>(string name, long type)
        where T : unmanaged
    {
        lock (Hdf5Library.Gate)
        {
            fixed (byte* link = Bytes(name))
            {
                if (_library.Exists(_file, link, 0) <= 0) throw Broken($"the file has no '{name}'", "give files of the data set's archive");
                long dataset = _library.OpenDataset(_file, link, 0);
                if (dataset < 0) throw Broken($"'{name}' is damaged or no array", Advice);
                try
                {
                    int[] shape = ShapeOf(dataset, name, sizeof(T));
                    T[] values = new T[shape.Aggregate(1, (product, side) => product * side)];
                    fixed (T* to = values)
                    {
                        if (_library.Read(dataset, type, 0, 0, 0, to) < 0)
                            throw Broken($"'{name}' cannot be read: it is cut off, damaged or not of numbers", Advice);
                    }
                    return (values, shape);
                }
                finally
                {
                    _ = _library.CloseDataset(dataset);
                }
            }
        }
    }

    private int[] ShapeOf(long dataset, string name, int elementBytes)
    {
        long space = _library.GetSpace(dataset);
        try
        {
            int rank = _library.GetRank(space);
            if (rank is < 0 or > MaxRank) throw Broken($"'{name}' has {rank} axes", Advice);
            ulong* sides = stackalloc ulong[MaxRank];
            _ = _library.GetShape(space, sides, null);
            double bytes = elementBytes;
            for (int axis = 0; axis < rank; axis++) bytes *= sides[axis];
            if (bytes > MaxBytes) throw Broken($"'{name}' would take {bytes:0} bytes, and at most {MaxBytes} are read", Advice);
            int[] shape = new int[rank];
            for (int axis = 0; axis < rank; axis++) shape[axis] = (int)sides[axis];
            return shape;
        }
        finally
        {
            _ = _library.CloseSpace(space);
        }
    }

    private DataException Broken(string text, string advice) => new(new DataProblem(_path, _place, text), advice);
}
