using Lavt.Golden;
using Lavt.Kernels.Cpu;
using Lavt.Tests.Golden;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public unsafe class LossKernelTests
{
    public static TheoryData<string, int, int, int> Cases()
    {
        TheoryData<string, int, int, int> cases = [];
        foreach (string loss in (string[])["ce", "mc_dice", "dice_focal", "dice_boundary"])
        {
            cases.Add(loss, 1, 1, 1);
            cases.Add(loss, 2, 3, 5);
            cases.Add(loss, 3, 2, 17);
            cases.Add(loss, 1, 9, 16);
            cases.Add(loss, 2, 11, 15);
        }
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Value_and_gradient_are_those_of_plain_loops(string loss, int batch, int height, int width)
    {
        int pixels = batch * height * width;
        float[] logits = Uniform(2 * pixels, 1, -4, 4);
        byte[] target = Target(pixels);
        (double value, float[] gradient) = Run(loss, logits, target, batch, height, width);
        double Reference(double[] x) => Evaluate(loss, x, target, batch, height, width);
        Assert.Equal(Reference(ToDouble(logits)), value, 2e-7);
        AssertClose(CentralDifferences(Reference, ToDouble(logits)), gradient, 2e-6, "gradient");
    }

    [Theory]
    [InlineData("ce")]
    [InlineData("mc_dice")]
    [InlineData("dice_focal")]
    [InlineData("dice_boundary")]
    public void Large_maps_and_logits(string loss)
    {
        const int Batch = 2, Height = 67, Width = 131;
        float[] logits = Uniform(2 * Batch * Height * Width, 2, -60, 60);
        byte[] target = Target(Batch * Height * Width);
        (double value, float[] gradient) = Run(loss, logits, target, Batch, Height, Width);
        double expected = Evaluate(loss, ToDouble(logits), target, Batch, Height, Width);
        Assert.Equal(expected, value, 1e-6 * Math.Abs(expected));
        Assert.DoesNotContain(gradient, g => !float.IsFinite(g));
        Assert.Equal(value, RunWithoutGradient(loss, logits, target, Batch, Height, Width));
    }

    [Theory]
    [InlineData("ce")]
    [InlineData("mc_dice")]
    [InlineData("dice_focal")]
    [InlineData("dice_boundary")]
    public void Do_not_depend_on_workers(string loss) => AssertIndependentOfWorkers(() =>
    {
        const int Batch = 3, Height = 70, Width = 75;
        (double value, float[] gradient) = Run(loss, Uniform(2 * Batch * Height * Width, 3, -3, 3), Target(Batch * Height * Width), Batch, Height, Width);
        return [(float)value, .. gradient];
    });

    [Theory]
    [InlineData("ce")]
    [InlineData("mc_dice")]
    [InlineData("dice_focal")]
    [InlineData("dice_boundary")]
    public void Golden(string loss)
    {
        foreach (string kind in (string[])["blob", "random"])
        {
            const int Batch = 3, Height = 17, Width = 23, Pixels = Height * Width;
            using GoldenFile file = new(GoldenTests.PathOf($"modules/loss_{loss}_{kind}.safetensors"));
            float[] logits = ChannelsLast(Deterministic.Uniform("input.logits", [2 * Batch * Pixels], -3, 3).ToArray<float>(), Batch, Pixels);
            byte[] target = kind == "random" ? Array.ConvertAll(Deterministic.Integers("input.target", [Batch * Pixels], 0, 2).ToArray<long>(), i => (byte)i) : Blob(Height, Width);
            (double value, float[] gradient) = Run(loss, logits, target, Batch, Height, Width);
            AssertGolden(file, "output.0", [(float)value]);
            AssertGolden(file, "gradient.logits", gradient, ChannelsLast(file.Read("gradient.logits").ToArray<float>(), Batch, Pixels));
        }
    }

    private static void AssertGolden(GoldenFile file, string name, float[] actual, float[]? expected = null)
    {
        expected ??= file.Read(name).ToArray<float>();
        double error = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            error += Math.Pow((double)actual[i] - expected[i], 2);
            norm += Math.Pow(expected[i], 2);
        }
        double relative = Math.Sqrt(error / norm), bar = Math.Max(2e-6, 3 * file.Error(name));
        Assert.True(relative <= bar, $"{file["module"]} {name}: relative error {relative:G3}, allowed {bar:G3}");
    }

    /// <summary>[B, 2, pixels] to [B, pixels, 2].</summary>
    private static float[] ChannelsLast(float[] values, int batch, int pixels)
    {
        float[] result = new float[values.Length];
        for (int b = 0; b < batch; b++)
            for (int i = 0; i < pixels; i++)
                for (int c = 0; c < 2; c++) result[(b * pixels + i) * 2 + c] = values[(b * 2 + c) * pixels + i];
        return result;
    }

    /// <summary>Zeros but [0,3:12,4:20]=1 and [2,8:,5:9]=1.</summary>
    private static byte[] Blob(int height, int width)
    {
        byte[] target = new byte[3 * height * width];
        for (int r = 0; r < height; r++)
            for (int c = 0; c < width; c++)
            {
                if (r is >= 3 and < 12 && c is >= 4 and < 20) target[r * width + c] = 1;
                if (r >= 8 && c is >= 5 and < 9) target[(2 * height + r) * width + c] = 1;
            }
        return target;
    }

    private static byte[] Target(int pixels)
    {
        Random random = new(5);
        byte[] target = new byte[pixels];
        for (int i = 0; i < pixels; i++) target[i] = (byte)(random.Next(3) / 2);
        return target;
    }

    private static double Evaluate(string loss, double[] logits, byte[] target, int batch, int height, int width) => loss switch
    {
        "ce" => LossReference.CrossEntropy(logits, target),
        "mc_dice" => LossReference.Dice(logits, target, batch),
        "dice_focal" => LossReference.Dice(logits, target, batch) + 3 * LossReference.Focal(logits, target),
        _ => LossReference.Dice(logits, target, batch) + 0.05 * LossReference.Boundary(logits, target, batch, height, width),
    };

    private static (double Loss, float[] Gradient) Run(string loss, float[] logits, byte[] target, int batch, int height, int width)
    {
        using GuardedArray<float> x = new(logits), gradient = new(logits.Length);
        using GuardedArray<byte> mask = new(target);
        return (RunKernel(loss, x, mask, batch, height, width, gradient), gradient.ToArray());
    }

    private static double RunWithoutGradient(string loss, float[] logits, byte[] target, int batch, int height, int width)
    {
        using GuardedArray<float> x = new(logits);
        using GuardedArray<byte> mask = new(target);
        return RunKernel(loss, x, mask, batch, height, width, null);
    }

    private static double RunKernel(string loss, float* logits, byte* target, int batch, int height, int width, float* gradient)
    {
        double value;
        if (loss == "ce") CrossEntropyLoss.Run(logits, target, batch, height * width, out value, gradient);
        else if (loss == "mc_dice") MultiClassDiceLoss.Run(logits, target, batch, height * width, out value, gradient);
        else if (loss == "dice_focal") DiceFocalLoss.Run(logits, target, batch, height * width, 3, 1, out value, gradient);
        else DiceBoundaryLoss.Run(logits, target, batch, height, width, 0.05, 1, out value, gradient);
        return value;
    }
}
