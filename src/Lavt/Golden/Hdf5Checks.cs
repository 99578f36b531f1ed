using System.Text;
using System.Text.RegularExpressions;
using Lavt.Data;
using Lavt.Imaging;

namespace Lavt.Golden;

/// <summary>Checks masks of HDF5 files against the same masks in NumPy's plain format.</summary>
internal static partial class Hdf5Checks
{
    private const int HeaderStart = 10;

    /// <summary>Checks every pair of files of a folder. The actors of each are numbered 0, 2, 4, ….</summary>
    public static void Run(string folder, GoldenReport report)
    {
        if (!A2dMask.IsSupported)
        {
            report.Skip(folder, "libhdf5 is not installed");
            return;
        }
        Mask mask = new();
        foreach (string path in Directory.EnumerateFiles(folder, "*.h5").Order(StringComparer.Ordinal))
        {
            (byte[] expected, int[] shape) = ReadArray(Path.ChangeExtension(path, ".npy"));
            for (int i = 0; i < shape[0]; i++)
            {
                A2dMask.Read(path, 2 * i, "", mask);
                bool same = (mask.Rows, mask.Columns) == (shape[1], shape[2]) && mask.Pixels.SequenceEqual(expected.AsSpan(i * mask.Pixels.Length, mask.Pixels.Length));
                report.Check("data/hdf5", $"{Path.GetFileName(path)} actor {2 * i}", same, $"{mask.Rows}x{mask.Columns} pixels, {mask.Area()} covered");
            }
        }
    }

    /// <summary>The bytes of an array of three axes, the last one moving fastest.</summary>
    private static (byte[] Values, int[] Shape) ReadArray(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        int headerBytes = BitConverter.ToUInt16(file, HeaderStart - 2);
        string header = Encoding.ASCII.GetString(file, HeaderStart, headerBytes);
        int[] shape = [.. Sides().Match(header).Groups[1].Captures.Select(side => int.Parse(side.Value, System.Globalization.CultureInfo.InvariantCulture))];
        byte[] values = file[(HeaderStart + headerBytes)..];
        return (header.Contains("'fortran_order': True", StringComparison.Ordinal) ? LastAxisFirst(values, shape) : values, shape);
    }

    private static byte[] LastAxisFirst(byte[] values, int[] shape)
    {
        byte[] turned = new byte[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            (int rest, int first) = Math.DivRem(i, shape[0]);
            (int third, int second) = Math.DivRem(rest, shape[1]);
            turned[(first * shape[1] + second) * shape[2] + third] = values[i];
        }
        return turned;
    }

    [GeneratedRegex(@"'shape': \((?:(\d+)[, ]*)+\)")]
    private static partial Regex Sides();
}
