using Lavt.Imaging;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Imaging;

public class PngTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 3)]
    [InlineData(31, 70)]
    public void Pictures_masks_and_indices_survive_a_round_trip(int rows, int columns)
    {
        Random random = new(rows);
        Picture picture = new(rows, columns);
        random.NextBytes(picture.Pixels);
        Assert.True(picture.Pixels.SequenceEqual(Png.Decode(Png.Encode(picture), "picture.png").Pixels));

        Mask mask = new(rows, columns), again = new();
        foreach (ref byte pixel in mask.Pixels) pixel = (byte)random.Next(2);
        Png.DecodeMask(Png.EncodeMask(mask), "mask.png", again);
        for (int i = 0; i < mask.Pixels.Length; i++) Assert.Equal(mask.Pixels[i] * 255, again.Pixels[i]);

        Png.DecodeMask(Png.EncodeIndices(mask, [0, 0, 0, 200, 10, 20]), "indices.png", again);
        Assert.True(mask.Pixels.SequenceEqual(again.Pixels));
        Picture colors = Png.Decode(Png.EncodeIndices(mask, [0, 0, 0, 200, 10, 20]), "indices.png");
        Assert.Equal(mask.Pixels[0] == 0 ? 0 : 200, colors.Pixels[0]);
    }

    // What Pillow 9.4 writes for a row of 0 1 0 1 1 1 0 0 1 0 (grey of 1 bit) and 0 1 2 3 2 1 (a palette of 2 bits).
    [Theory]
    [InlineData("iVBORw0KGgoAAAANSUhEUgAAAAoAAAABAQAAAADPjgLTAAAAC0lEQVR4nGOMUQEAAOIAgnULHwMAAAAASUVORK5CYII=", "0,255,0,255,255,255,0,0,255,0")]
    [InlineData("iVBORw0KGgoAAAANSUhEUgAAAAYAAAABAgMAAACApzdjAAAADFBMVEUAAAD/AAAA/wAAAP+bwBPcAAAAC0lEQVR4nGOQngAAAMkArEfYo24AAAAASUVORK5CYII=", "0,1,2,3,2,1")]
    public void Packed_pixels_are_unpacked(string file, string expected)
    {
        Mask mask = new();
        Png.DecodeMask(Convert.FromBase64String(file), "packed.png", mask);
        Assert.Equal(expected, string.Join(',', mask.Pixels.ToArray()));
    }

    [Fact]
    public void No_prefix_of_a_picture_passes_as_the_picture()
    {
        byte[] whole = File.ReadAllBytes(DataGolden.Path("jpeg", "picture_5.png"));
        int end = whole.AsSpan().IndexOf("IEND"u8) - 4;
        for (int length = 8; length < end; length += 7)
        {
            Exception? failure = Record.Exception(() => Png.Decode(whole.AsSpan(0, length), "prefix.png"));
            Assert.True(failure is PictureException, $"{length} of {whole.Length} bytes: {failure}");
        }
    }

    [Fact]
    public void A_flipped_bit_is_found()
    {
        byte[] whole = File.ReadAllBytes(DataGolden.Path("jpeg", "picture_5.png"));
        Random random = new(3);
        for (int trial = 0; trial < 200; trial++)
        {
            byte[] damaged = [.. whole];
            int place = random.Next(16, whole.AsSpan().IndexOf("IEND"u8) - 8);
            damaged[place] ^= (byte)(1 << random.Next(8));
            Exception? failure = Record.Exception(() => Png.Decode(damaged, "damaged.png"));
            Assert.True(failure is PictureException, $"byte {place} of {damaged.Length}: {failure}");
        }
    }

    [Fact]
    public void A_forged_size_is_refused_without_memory()
    {
        byte[] forged = Png.Encode(new Picture(4, 4));
        (forged[16], forged[17], forged[18], forged[19]) = (0, 0, 0xEA, 0x60);
        (forged[20], forged[21], forged[22], forged[23]) = (0, 0, 0xEA, 0x60);
        uint crc = Crc(forged.AsSpan(12, 17));
        for (int i = 0; i < 4; i++) forged[29 + i] = (byte)(crc >> (24 - 8 * i));
        Assert.Contains("60000 x 60000", Assert.Throws<PictureException>(() => Png.Decode(forged, "forged.png")).Message);
    }

    [Fact]
    public void Colours_are_no_mask()
    {
        PictureException failure = Assert.Throws<PictureException>(() => Png.DecodeMask(Png.Encode(new Picture(2, 2)), "colours.png", new Mask()));
        Assert.Contains("RGB of 8 bits", failure.Message);
    }

    [Fact]
    public void A_palette_must_cover_its_indices()
    {
        Mask mask = new(1, 1);
        mask.Pixels[0] = 2;
        Assert.Throws<ArgumentException>(() => Png.EncodeIndices(mask, [0, 0, 0, 1, 1, 1]));
    }

    private static uint Crc(ReadOnlySpan<byte> data)
    {
        uint crc = 0xFFFFFFFF;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
        }
        return ~crc;
    }
}
