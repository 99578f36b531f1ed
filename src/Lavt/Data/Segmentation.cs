using Lavt.Imaging;

namespace Lavt.Data;

/// <summary>The outline of an object as the COCO files have it: polygons, or run lengths.</summary>
public sealed class Segmentation
{
    private const int BoxNumbers = 4;
    private readonly double[][] _polygons;
    private readonly Rle? _runs;

    private Segmentation(double[][] polygons, Rle? runs)
    {
        _polygons = polygons;
        _runs = runs;
    }

    /// <summary>The polygons, x and y of each corner in pixels; none if the object comes as run lengths.</summary>
    public IReadOnlyList<double[]> Polygons => _polygons;

    /// <summary>The outline made of polygons.</summary>
    /// <exception cref="FormatException">There is no polygon.</exception>
    public static Segmentation FromPolygons(double[][] polygons)
    {
        ArgumentNullException.ThrowIfNull(polygons);
        return polygons.Length > 0 ? new Segmentation(polygons, null) : throw new FormatException("a segmentation without polygons");
    }

    /// <summary>The area given by run lengths.</summary>
    public static Segmentation FromRuns(Rle runs)
    {
        ArgumentNullException.ThrowIfNull(runs);
        return new Segmentation([], runs);
    }

    /// <summary>
    /// The mask of zeros and ones as the published code makes it: the polygons are drawn one by one and summed up, and only
    /// pixels of exactly one polygon count, so that overlaps of an object's polygons are background.
    /// </summary>
    /// <param name="rows">The height of the picture in pixels.</param>
    /// <param name="columns">The width of the picture in pixels.</param>
    /// <param name="into">Gets the size and the pixels.</param>
    /// <exception cref="FormatException">A polygon is broken, or the run lengths are for another size.</exception>
    public void Rasterize(int rows, int columns, Mask into)
    {
        ArgumentNullException.ThrowIfNull(into);
        into.Reshape(rows, columns);
        into.Pixels.Clear();
        if (_runs is not null)
        {
            if (_runs.Rows != rows || _runs.Columns != columns)
                throw new FormatException($"the run lengths are for {_runs.Rows} x {_runs.Columns} pixels, the picture has {rows} x {columns}");
            _runs.AddTo(into);
            return;
        }
        // The COCO tools take lists of four numbers for boxes if the first of an object's lists has four.
        bool boxes = _polygons[0].Length == BoxNumbers;
        foreach (double[] polygon in _polygons) PolygonRasterizer.Rasterize(boxes ? Corners(polygon) : polygon, rows, columns).AddTo(into);
        if (_polygons.Length > 1) KeepOnes(into.Pixels);
    }

    private static double[] Corners(double[] box)
    {
        if (box.Length != BoxNumbers) throw new FormatException($"a box has {BoxNumbers} numbers, got {box.Length}");
        double left = box[0], top = box[1], right = left + box[2], bottom = top + box[3];
        return [left, top, left, bottom, right, bottom, right, top];
    }

    private static void KeepOnes(Span<byte> sums)
    {
        foreach (ref byte sum in sums) sum = sum == 1 ? (byte)1 : (byte)0;
    }
}
