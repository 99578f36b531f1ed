using System.Globalization;
using System.Text.Json;
using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Evaluation;

/// <summary>
/// Measures models on request: a line <c>WORK MODEL SWIN WINDOW SIZE BATCH SECONDS</c>, with <c>forward</c>, <c>train</c> or those with
/// <c>-bf16</c>, <c>-fp16</c> or <c>-tf32</c> behind them as work, is answered by a line of JSON with the milliseconds of every step and the most
/// memory that was held: of the process, or of the GPU since the case began.
/// </summary>
/// <param name="requests">Where the requests come from.</param>
/// <param name="answers">Where the answers go.</param>
/// <param name="deviceName">The device that computes, such as <c>cuda</c>; a GPU is opened already.</param>
public sealed class BenchmarkServer(TextReader requests, TextWriter answers, string deviceName = "cpu")
{
    /// <summary>The video model of the journal paper; its clips have as many frames as its windows.</summary>
    private const string VideoFlags = "--sep_t_pwam --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 --mm_t3x3_s1x1";

    private readonly CudaMemory? _gpu = MemoryOf(Device.Parse(deviceName));
    private string? _case;
    private ModelBenchmark? _benchmark;

    /// <summary>Answers until the input ends or says <c>quit</c>.</summary>
    public void Run()
    {
        Answer(new { ready = $"Lavt {typeof(BenchmarkServer).Assembly.GetName().Version?.ToString(3)}" });
        while (requests.ReadLine() is { } line && line != "quit")
        {
            try
            {
                List<double> seconds = Measure(line.Split(' '));
                Answer(new { milliseconds = seconds.Select(s => Math.Round(1000 * s, 3)), peak_bytes = _gpu?.PeakBytes ?? ProcessMemory.PeakMiB << 20 });
            }
            catch (Exception failure) when (failure is FormatException or OptionException or MissingKernelException or CudaException)
            {
                Answer(new { error = failure.Message });
            }
        }
    }

    private List<double> Measure(string[] words)
    {
        if (words.Length != 7) throw new FormatException("expected: WORK MODEL SWIN WINDOW SIZE BATCH SECONDS");
        string name = string.Join(' ', words[..6]);
        bool trains = words[0].StartsWith("train", StringComparison.Ordinal);
        if (name != _case)
        {
            (_benchmark, _case) = (null, null);
            GC.Collect();
            GC.WaitForPendingFinalizers();
            HostAllocator.Trim();
            _gpu?.ResetPeak();
            _benchmark = Make(words);
            _case = name;
        }
        double seconds = double.Parse(words[6], CultureInfo.InvariantCulture);
        return trains ? _benchmark!.TrainingStep(seconds, 1) : _benchmark!.Forward(seconds, 1);
    }

    private ModelBenchmark Make(string[] words)
    {
        string variant = words[1] == "lavt_video" ? VideoFlags : "";
        LavtOptions options = new()
        {
            Model = ModelOptions.Parse($"--model {words[1]} --swin_type {words[2]} --window {words[3]} {variant}"),
            Data = new DataOptions { ImageSize = int.Parse(words[4], CultureInfo.InvariantCulture), Frames = ModelOptions.FramesOfWindow },
            Machine = new MachineOptions { DeviceNames = deviceName, Precision = PrecisionOf(words[0]) },
        };
        return new ModelBenchmark(options, int.Parse(words[5], CultureInfo.InvariantCulture));
    }

    private Precision PrecisionOf(string work)
    {
        switch (work)
        {
            case "forward" or "train":
                return Precision.Float32;
            // A figure of float32 under the name of bfloat16 would mislead.
            case "forward-bf16" when _gpu is null && Bf16Gemm.Missing is { } why:
                throw new OptionException(work, $"products of bfloat16 are not available: {why}");
            case "forward-bf16":
            case "train-bf16" when _gpu is not null:
                return Precision.BFloat16;
            case "forward-fp16" when _gpu is not null:
                return Precision.Float16;
            case "forward-tf32" or "train-tf32" when _gpu is not null:
                return Precision.Tf32;
            default:
                throw new FormatException($"'{work}' is no work of {deviceName}: there are forward, forward-bf16 and train, on GPUs also forward-fp16, forward-tf32, train-bf16 and train-tf32");
        }
    }

    private void Answer(object answer)
    {
        answers.WriteLine(JsonSerializer.Serialize(answer));
        answers.Flush();
    }

    private static CudaMemory? MemoryOf(Device device) => device.IsCuda ? CudaDevice.Of(device).Memory : null;
}
