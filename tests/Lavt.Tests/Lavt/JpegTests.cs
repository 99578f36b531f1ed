using System.Security.Cryptography;
using Lavt.Imaging;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Imaging;

public class JpegTests
{
    public static TheoryData<int> Cases => [.. DataGolden.Json("jpeg", "cases.json").GetProperty("cases").EnumerateArray().Select(c => c.Int("case"))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Pixels_equal_those_of_Pillow(int number)
    {
        Picture expected = Picture.Load(DataGolden.Path("jpeg", $"picture_{number}.png"));
        Picture actual = Picture.Load(DataGolden.Path("jpeg", $"picture_{number}.jpg"));
        Assert.Equal((expected.Rows, expected.Columns), (actual.Rows, actual.Columns));
        Assert.True(expected.Pixels.SequenceEqual(actual.Pixels));
    }

    // Written by cjpeg with three luma samples for each of chroma; the digest is that of Pillow's pixels.
    [Fact]
    public void Unusual_sampling_factors_decode_as_in_Pillow()
    {
        const string File = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//"
            + "2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wAARCAAMABQDATEAAhEBAxEB/8QAFgABAQEA"
            + "AAAAAAAAAAAAAAAABAUG/8QAHRAAAgEFAQEAAAAAAAAAAAAAAAMEAgUyUmISIv/EABYBAQEBAAAAAAAAAAAAAAAAAAUEBv/EABsRAAICAwEAAAAAAAAAAAAAAAAFAgMEESEx"
            + "/9oADAMBAAIRAxEAPwDPptnI9Ns5GU2z5xEmWf30uUZXCimOvUemOvUZTHX5xMkyunsCUWS0f//Z";
        Picture picture = Jpeg.Decode(Convert.FromBase64String(File), "unusual.jpg");
        Assert.Equal((12, 20), (picture.Rows, picture.Columns));
        Assert.Equal("149e24a9c468dc545a6f4adaec0e913772e2c7eb77b3a058d5813af4a41be101", Convert.ToHexStringLower(SHA256.HashData(picture.Pixels)));
    }

    [Fact]
    public void A_missing_library_is_named_with_its_package()
    {
        Assert.Contains("apt-get install libturbojpeg0", TurboJpeg.Missing(new DllNotFoundException()).Message);
        Assert.Contains("apt-get install libspng0", Spng.Missing(new DllNotFoundException()).Message);
    }

    [Fact]
    public void A_cut_off_picture_is_refused_by_name()
    {
        string path = DataGolden.Path("jpeg", "truncated.jpg");
        PictureException failure = Assert.Throws<PictureException>(() => Picture.Load(path));
        Assert.StartsWith(path, failure.Message);
        Assert.Contains("cut off", failure.Message);
    }

    [Fact]
    public void A_file_that_is_no_picture_is_refused_by_name()
    {
        string path = DataGolden.Path("jpeg", "not_a_picture.jpg");
        PictureException failure = Assert.Throws<PictureException>(() => Picture.Load(path));
        Assert.StartsWith(path, failure.Message);
        Assert.Contains("not a picture", failure.Message);
    }

    [Fact]
    public void Empty_and_missing_files_are_refused_by_name()
    {
        using DataGolden.TemporaryFolder folder = DataGolden.NewFolder();
        string empty = folder.File("empty.jpg", []), missing = Path.Combine(folder.Folder, "missing.jpg");
        Assert.Contains($"{empty}: the file is empty (0 bytes)", Assert.Throws<PictureException>(() => Picture.Load(empty)).Message);
        Assert.Contains($"{missing}: there is no such file", Assert.Throws<PictureException>(() => Picture.Load(missing)).Message);
    }

    [Fact]
    public void No_prefix_of_a_picture_passes_as_the_picture()
    {
        foreach (int number in new[] { 1, 4, 7 })
        {
            byte[] whole = File.ReadAllBytes(DataGolden.Path("jpeg", $"picture_{number}.jpg"));
            Picture into = new();
            for (int length = 3; length < whole.Length; length += 1 + whole.Length / 400)
            {
                Exception? failure = Record.Exception(() => Jpeg.Decode(whole.AsSpan(0, length), "prefix.jpg", into));
                Assert.True(failure is PictureException, $"picture {number} cut to {length} of {whole.Length} bytes: {failure}");
            }
        }
    }

    [Fact]
    public void Damaged_bytes_give_a_picture_or_a_picture_error()
    {
        byte[] whole = File.ReadAllBytes(DataGolden.Path("jpeg", "picture_4.jpg"));
        Random random = new(7);
        Picture into = new();
        int refused = 0;
        for (int trial = 0; trial < 600; trial++)
        {
            byte[] damaged = [.. whole];
            for (int flips = 0; flips < 4; flips++) damaged[random.Next(3, damaged.Length)] = (byte)random.Next(256);
            Exception? failure = Record.Exception(() => Jpeg.Decode(damaged, "damaged.jpg", into));
            Assert.True(failure is null or PictureException, $"{failure}");
            if (failure is not null) refused++;
        }
        Assert.InRange(refused, 1, 599);
    }

    [Fact]
    public void A_good_picture_decodes_after_a_damaged_one()
    {
        PictureReader reader = new();
        Picture picture = new();
        Assert.Throws<PictureException>(() => reader.Read(DataGolden.Path("jpeg", "truncated.jpg"), picture));
        reader.Read(DataGolden.Path("jpeg", "picture_0.jpg"), picture);
        Assert.True(picture.Pixels.SequenceEqual(Picture.Load(DataGolden.Path("jpeg", "picture_0.png")).Pixels));
    }

    [Fact]
    public void Stray_bytes_between_markers_warn_and_change_nothing()
    {
        byte[] whole = File.ReadAllBytes(DataGolden.Path("jpeg", "picture_0.jpg"));
        int second = 2 + 2 + (whole[4] << 8 | whole[5]);
        byte[] stray = [.. whole[..second], 1, 2, 3, .. whole[second..]];
        Picture picture = new();
        Assert.Contains("extraneous", Jpeg.Decode(stray, "stray.jpg", picture));
        Assert.True(picture.Pixels.SequenceEqual(Jpeg.Decode(whole, "whole.jpg").Pixels));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 33)]
    [InlineData(64, 48)]
    public void A_smooth_picture_survives_encoding(int rows, int columns)
    {
        Picture picture = new(rows, columns);
        for (int i = 0; i < picture.Pixels.Length; i++) picture.Pixels[i] = (byte)(20 + i / 3 % columns + i / 3 / columns + 40 * (i % 3));
        Picture again = Jpeg.Decode(Jpeg.Encode(picture, 97, ChromaSampling.Full), "again.jpg");
        Assert.Equal((rows, columns), (again.Rows, again.Columns));
        for (int i = 0; i < picture.Pixels.Length; i++) Assert.InRange(again.Pixels[i] - picture.Pixels[i], -6, 6);
    }
}
