using System.IO.Compression;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Clips;

public sealed class JhmdbTests : IDisposable
{
    private const int MaskFrames = 8;
    private readonly DataGolden.TemporaryFolder _folder = DataGolden.NewFolder();

    public JhmdbTests()
    {
        string frames = Path.Combine(_folder.Folder, "Rename_Images", "wave", "v");
        Directory.CreateDirectory(frames);
        // The last two frames have no masks.
        for (int t = 0; t < MaskFrames + 2; t++) ClipSets.Shade(t).SavePng(Path.Combine(frames, $"{t + 1:00000}.png"));
        Directory.CreateDirectory(Path.GetDirectoryName(MaskFile)!);
        File.WriteAllBytes(MaskFile, Matlab(compressed: true));
        _folder.File("jhmdb_annotation.txt", "video_id,query\nv,\"A  Man, \"\"waving\"\"\"\n"u8.ToArray());
    }

    private string MaskFile => Path.Combine(_folder.Folder, "puppet_mask", "wave", "v", "puppet_mask.mat");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_sample_is_a_frame_with_its_mask(bool compressed)
    {
        File.WriteAllBytes(MaskFile, Matlab(compressed));
        JhmdbDataset dataset = new(JhmdbData.Load(_folder.Folder, threeFrames: false), ClipSets.Tokenizer, 32, 4);
        Assert.Equal(MaskFrames, dataset.Count);
        for (int i = 0; i < dataset.Count; i++)
        {
            ClipItem clip = Load(dataset, i);
            Assert.Equal(clip.FrameIndices.ToArray(), ClipSets.FramesShown(clip));
            Assert.Equal(i, clip.FrameIndices[clip.AnnotatedFrame]);
            // The window ends with the masks, not with the frames.
            Assert.InRange(clip.FrameIndices[^1], 0, MaskFrames - 1);
            Assert.Equal(($"v_v_f_{i + 1}", "a man, \"waving\""), (clip.Name, clip.Sentence));
            for (int y = 0; y < 5; y++)
            {
                for (int x = 0; x < 6; x++) Assert.Equal(Value(y, x, i), clip.Truth.Pixels[y * 6 + x]);
            }
        }
    }

    [Fact]
    public void Three_frames_are_spread_evenly_or_taken_from_the_published_list()
    {
        Assert.Equal([2, 5, 7], JhmdbData.Load(_folder.Folder, threeFrames: true).Samples.Select(sample => sample.Frame));
        _folder.File("jhmdb_sentences_samples_metadata.json", "[[\"v\", \"x/00001.png\", \"m\", 8, \"t\"], [\"v\", \"x/00008.png\", \"m\", 8, \"t\"]]"u8.ToArray());
        Assert.Equal([1, 8], JhmdbData.Load(_folder.Folder, threeFrames: true).Samples.Select(sample => sample.Frame));
    }

    [Fact]
    public void Broken_masks_are_named()
    {
        byte[] whole = Matlab(compressed: true);
        for (int length = 0; length < whole.Length; length += 9)
        {
            File.WriteAllBytes(MaskFile, whole[..length]);
            DataException failure = Assert.Throws<DataException>(() => Load(new JhmdbDataset(JhmdbData.Load(_folder.Folder, false), ClipSets.Tokenizer, 32, 4), 0));
            Assert.StartsWith($"{MaskFile}: video v", failure.Message, StringComparison.Ordinal);
        }
    }

    private static byte Value(int row, int column, int frame) => (byte)((row + 2 * column + frame) % 3 == 0 ? 1 : 0);

    private static ClipItem Load(IClipDataset dataset, int sample) => new ClipLoader(dataset, 1, 0).Read([new ClipChoice(sample, 0)], dropLast: false).Single()[0];

    /// <summary>A file with another array and then part_mask of 5 x 6 pixels, as Matlab writes it.</summary>
    private static byte[] Matlab(bool compressed)
    {
        byte[] masks = [.. Enumerable.Range(0, 5 * 6 * MaskFrames).Select(i => Value(i % 5, i / 5 % 6, i / 30))];
        byte[] header = new byte[128];
        header.AsSpan(0, 124).Fill((byte)' ');
        (header[124], header[125], header[126], header[127]) = (0, 1, (byte)'I', (byte)'M');
        return [.. header, .. Wrapped(Matrix("category", [1, 3], [1, 2, 3])), .. Wrapped(Matrix("part_mask", [5, 6, MaskFrames], masks))];

        byte[] Wrapped(byte[] matrix)
        {
            if (!compressed) return matrix;
            MemoryStream packed = new();
            using (ZLibStream zlib = new(packed, CompressionLevel.Optimal)) zlib.Write(matrix);
            return [.. BitConverter.GetBytes(15), .. BitConverter.GetBytes((int)packed.ToArray().Length), .. packed.ToArray()];
        }
    }

    private static byte[] Matrix(string name, int[] shape, byte[] values)
    {
        byte[] content =
        [
            .. Element(6, [9, 0, 0, 0, 0, 0, 0, 0]), .. Element(5, [.. shape.SelectMany(BitConverter.GetBytes)]),
            .. Element(1, System.Text.Encoding.ASCII.GetBytes(name)), .. Element(2, values),
        ];
        return [.. BitConverter.GetBytes(14), .. BitConverter.GetBytes(content.Length), .. content];
    }

    private static byte[] Element(int type, byte[] data) => data.Length <= 4
        ? [.. BitConverter.GetBytes(type | data.Length << 16), .. data, .. new byte[4 - data.Length]]
        : [.. BitConverter.GetBytes(type), .. BitConverter.GetBytes(data.Length), .. data, .. new byte[(8 - data.Length % 8) % 8]];
}
