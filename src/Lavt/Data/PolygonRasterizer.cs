// The rasteriser follows rleFrPoly of maskApi.c in the Microsoft COCO Toolbox, version 2.0, by Piotr Dollar and Tsung-Yi Lin,
// which comes under this licence:
//
// Copyright (c) 2014, Piotr Dollar and Tsung-Yi Lin
// All rights reserved.
//
// Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following
// conditions are met:
// 1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following
//    disclaimer.
// 2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
//    disclaimer in the documentation and/or other materials provided with the distribution.
//
// THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
// INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
// DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT OWNER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL,
// EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF
// USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT
// LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED
// OF THE POSSIBILITY OF SUCH DAMAGE.

using System.Runtime.InteropServices;

namespace Lavt.Data;

/// <summary>Turns polygons into masks as the COCO tools do, pixel for pixel.</summary>
/// <remarks>
/// The outline is walked in steps of a fifth of a pixel. Wherever it crosses the centre line of a column, the row there is
/// noted; between each two crossings, in order down the columns, lies the inside.
/// </remarks>
public static class PolygonRasterizer
{
    private const double StepsPerPixel = 5;
    private const double LargestCoordinate = 1e5;

    /// <summary>The mask of one polygon.</summary>
    /// <param name="corners">x and y of each corner in pixels, the centre of the first pixel at (0, 0).</param>
    /// <param name="rows">The height of the mask in pixels.</param>
    /// <param name="columns">The width of the mask in pixels.</param>
    /// <exception cref="FormatException">The corners are no pairs, or a coordinate is no number or beyond ±100 000.</exception>
    public static Rle Rasterize(ReadOnlySpan<double> corners, int rows, int columns)
    {
        if (corners.Length < 2 || corners.Length % 2 != 0)
            throw new FormatException($"a polygon has pairs of coordinates, got {corners.Length} numbers");
        foreach (double value in corners)
        {
            if (!(Math.Abs(value) <= LargestCoordinate))
                throw new FormatException($"a polygon has the coordinate {value}, and {LargestCoordinate} is the limit");
        }
        List<(int X, int Y)> outline = Walk(corners);
        List<uint> crossings = Crossings(outline, rows, columns);
        crossings.Add((uint)rows * (uint)columns);
        crossings.Sort();
        return Rle.FromCounts(CollectionsMarshal.AsSpan(Runs(crossings)), rows, columns);
    }

    /// <summary>The points of the outline, in fifths of a pixel.</summary>
    private static List<(int X, int Y)> Walk(ReadOnlySpan<double> corners)
    {
        List<(int X, int Y)> outline = [];
        (int X, int Y) first = Corner(corners, 0), from = first;
        for (int i = 2; i <= corners.Length; i += 2)
        {
            (int X, int Y) to = i < corners.Length ? Corner(corners, i) : first;
            AddSide(outline, from, to);
            from = to;
        }
        return outline;
    }

    private static (int X, int Y) Corner(ReadOnlySpan<double> corners, int index) =>
        ((int)(StepsPerPixel * corners[index] + 0.5), (int)(StepsPerPixel * corners[index + 1] + 0.5));

    /// <summary>One point for each step along the longer axis; the slope is always taken from the smaller end, so that rounding does not depend on the direction.</summary>
    private static void AddSide(List<(int X, int Y)> outline, (int X, int Y) from, (int X, int Y) to)
    {
        int dx = Math.Abs(to.X - from.X), dy = Math.Abs(to.Y - from.Y);
        bool flat = dx >= dy;
        bool backwards = flat ? from.X > to.X : from.Y > to.Y;
        if (backwards) (from, to) = (to, from);
        int steps = flat ? dx : dy;
        double slope = flat ? (double)(to.Y - from.Y) / dx : (double)(to.X - from.X) / dy;
        // A side of no length has no slope; its only point is the corner itself.
        if (steps == 0) slope = 0;
        for (int i = 0; i <= steps; i++)
        {
            int step = backwards ? steps - i : i;
            outline.Add(flat ? (from.X + step, (int)(from.Y + slope * step + 0.5)) : ((int)(from.X + slope * step + 0.5), from.Y + step));
        }
    }

    /// <summary>Where the outline passes the centre line of a column, as positions down the columns.</summary>
    private static List<uint> Crossings(List<(int X, int Y)> outline, int rows, int columns)
    {
        List<uint> crossings = [];
        for (int i = 1; i < outline.Count; i++)
        {
            (int X, int Y) before = outline[i - 1], now = outline[i];
            if (now.X == before.X) continue;
            double x = now.X < before.X ? now.X : now.X - 1;
            x = (x + 0.5) / StepsPerPixel - 0.5;
            if (Math.Floor(x) != x || x < 0 || x > columns - 1) continue;
            double y = (Math.Min(now.Y, before.Y) + 0.5) / StepsPerPixel - 0.5;
            int row = (int)Math.Ceiling(Math.Clamp(y, 0, rows));
            crossings.Add((uint)((int)x * rows + row));
        }
        return crossings;
    }

    /// <summary>Differences of the sorted crossings; a run of no length joins its neighbours.</summary>
    private static List<uint> Runs(List<uint> crossings)
    {
        List<uint> runs = [crossings[0]];
        for (int i = 1; i < crossings.Count; i++)
        {
            uint length = crossings[i] - crossings[i - 1];
            if (length > 0) runs.Add(length);
            else if (++i < crossings.Count) runs[^1] += crossings[i] - crossings[i - 1];
        }
        return runs;
    }
}
