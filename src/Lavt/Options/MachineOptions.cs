using System.Globalization;
using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Nn;
using Lavt.Tensors;

namespace Lavt.Options;

/// <summary>What the work runs on.</summary>
public sealed record MachineOptions
{
    /// <summary>The first compute capability with products of bfloat16.</summary>
    private const int FirstWithBFloat16 = 8;

    /// <summary><c>--device</c>: where to compute, as <see cref="ParseDevices"/> reads it; several devices share every batch.</summary>
    public string DeviceNames { get; init; } = "cpu";

    /// <summary>The devices of <see cref="DeviceNames"/>.</summary>
    public IReadOnlyList<Device> Devices => ParseDevices(DeviceNames);

    /// <summary>The first of <see cref="Devices"/>.</summary>
    public Device Device => Devices[0];

    /// <summary><c>--threads</c>: threads that compute; null for one per core.</summary>
    public int? Threads { get; init; }

    /// <summary><c>--precision</c>: the type of the arithmetic.</summary>
    public Precision Precision { get; init; } = Precision.Float32;

    /// <summary>
    /// The type of products in linear layers: BF16 where <see cref="Precision"/> asks for it and the processor has them,
    /// otherwise F32.
    /// </summary>
    public DType Products => Precision == Precision.BFloat16 && Bf16Gemm.Missing is null ? DType.BF16 : DType.F32;

    /// <summary>To what the products of linear layers are rounded on a GPU.</summary>
    public ProductPrecision GpuProducts => Precision switch
    {
        Precision.BFloat16 => ProductPrecision.BFloat16,
        Precision.Tf32 => ProductPrecision.Tf32,
        Precision.Float16 => ProductPrecision.Float16,
        _ => ProductPrecision.Float32,
    };

    /// <summary>Makes a model fit for inference where these options say: in evaluation mode, packed on the CPU or moved to the GPU.</summary>
    public void PrepareForInference(Module model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (!Device.IsCuda)
        {
            model.KeepForInferenceOnly(Products);
            return;
        }
        model.SetTraining(false);
        model.UseProducts(GpuProducts);
        model.MoveTo(Device);
    }

    /// <summary>The names of the GPUs of <c>--gpus</c>: a number of GPUs, or the list of their numbers.</summary>
    /// <exception cref="FormatException">The text is neither, or names a GPU twice.</exception>
    public static string DevicesOfGpus(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int[] numbers = [.. text.Split(',').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw new FormatException($"'{text}' must be a number of GPUs, such as 4, or a list of theirs, such as 0,2"))];
        if (text.Contains(',', StringComparison.Ordinal)) return string.Join(',', ParseDevices(string.Join(',', numbers.Select(number => $"cuda:{number}"))));
        if (numbers[0] == 0) throw new FormatException("0 GPUs cannot compute; leave the flag out for the CPU");
        return string.Join(',', Enumerable.Range(0, numbers[0]).Select(number => new Device(DeviceKind.Cuda, number)));
    }

    /// <summary>Reads a list such as <c>cpu:0,cpu:1</c>.</summary>
    /// <exception cref="FormatException">The text names no device, one twice, or devices of several kinds.</exception>
    public static IReadOnlyList<Device> ParseDevices(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Device[] devices = [.. text.Split(',').Select(Device.Parse)];
        if (devices.Distinct().Count() < devices.Length || devices.Any(device => device.Kind != devices[0].Kind))
            throw new FormatException($"'{text}' must name different devices of one kind, such as cpu:0,cpu:1");
        return devices;
    }

    /// <summary>The options for a training: with <c>--use_amp</c> a GPU computes products in bfloat16, or in float16 where it has none, unless a precision was given.</summary>
    /// <param name="mixedPrecision">Whether <c>--use_amp</c> was given.</param>
    /// <exception cref="OptionException">The CPU is to train in another type than float32.</exception>
    public MachineOptions ForTraining(bool mixedPrecision)
    {
        if (!Device.IsCuda)
        {
            return Precision == Precision.Float32
                ? this
                : throw new OptionException("--precision", "training on the CPU computes in fp32 alone; leave the flag out (a trained model can be evaluated with --precision bf16)");
        }
        if (!mixedPrecision || Precision != Precision.Float32) return this;
        return this with { Precision = CudaDevice.Of(Device).Capability.Major >= FirstWithBFloat16 ? Precision.BFloat16 : Precision.Float16 };
    }

    /// <summary>Moves a model to where these options say, and chooses its products there.</summary>
    public void PrepareForTraining(Module model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (!Device.IsCuda) return;
        model.UseProducts(GpuProducts);
        model.MoveTo(Device);
    }
}

/// <summary>The types of arithmetic, <c>--precision</c>.</summary>
public enum Precision
{
    /// <summary><c>fp32</c>: float32 throughout.</summary>
    Float32,

    /// <summary><c>bf16</c>: products of linear layers from bfloat16, everything else float32.</summary>
    BFloat16,

    /// <summary><c>tf32</c>: products of linear layers with 10 bits of mantissa, everything else float32; on GPUs.</summary>
    Tf32,

    /// <summary><c>fp16</c>: products of linear layers from float16, everything else float32; on GPUs.</summary>
    Float16,
}
