namespace Lavt.Imaging;

/// <summary>
/// Colours by number that differ as much as possible from their neighbours, the palette of PASCAL VOC and DAVIS: the bits of
/// the number go to red, green and blue in turn, the lowest first into the highest place.
/// </summary>
public static class Palette
{
    private const int MaxColours = 256;

    /// <summary>The first colours as red, green and blue; number 0 is black.</summary>
    /// <param name="count">1 to 256.</param>
    public static byte[] Bytes(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxColours);
        return [.. Enumerable.Range(0, count).SelectMany(Colour)];
    }

    /// <summary>Red, green and blue of a number from 0 to 255.</summary>
    public static byte[] Colour(int number)
    {
        byte[] colour = new byte[3];
        for (int bit = 0; bit < 24; bit++) colour[bit % 3] |= (byte)((number >> bit & 1) << (7 - bit / 3));
        return colour;
    }
}
