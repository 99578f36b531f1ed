using Lavt.Imaging;
using Lavt.Prediction;
using Lavt.Tests.Training;
using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Masks that are predicted on the GPU are those of the CPU.</summary>
public sealed class PredictorOnGpuTests(SmallRun run) : IClassFixture<SmallRun>
{
    // Sentences about clips have up to 22 word pieces.
    private const string Positions = "--bert_positions 22";

    [Fact]
    public void Masks_of_a_picture_and_of_frames_equal_the_CPU_s()
    {
        _ = Gpu.Device;
        string checkpoint = new Trainer(run.Options("on_gpu", $"{Positions} --epochs 1"), new SmallRun.Observer(), run.PathOf("logs")).Run(default).LastCheckpoint;
        Predictor cpu = Predictor(checkpoint, "cpu"), gpu = Predictor(checkpoint, "cuda");
        Picture picture = Picture.Load(Directory.EnumerateFiles(run.Data, "*.jpg", SearchOption.AllDirectories).Order().First());
        const string Text = "the red circle";
        byte[] expected = cpu.Predict(picture, [Text])[0].Mask.Pixels.ToArray();
        // A mask without an edge would show nothing.
        Assert.InRange(expected.Count(pixel => pixel == 1), 1, expected.Length - 1);
        Mask mask = gpu.Predict(picture, [Text])[0].Mask;
        Assert.Equal((picture.Rows, picture.Columns), (mask.Rows, mask.Columns));
        // A logit at rounding distance from the other class may fall on either side.
        Assert.InRange(Differing(expected, mask.Pixels), 0, expected.Length / 100);
        gpu.Predict([picture, picture], [Text], 2, (_, _, frame) => Assert.InRange(Differing(expected, frame.Pixels), 0, expected.Length / 100));
    }

    private Predictor Predictor(string checkpoint, string device) => new(run.Options("on_gpu", $"{Positions} --resume {checkpoint} --device {device}"));

    private static int Differing(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual)
    {
        int count = 0;
        for (int i = 0; i < expected.Length; i++) count += expected[i] == actual[i] ? 0 : 1;
        return count;
    }
}
