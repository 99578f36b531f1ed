using System.Globalization;
using System.Text.Json;
using Lavt.Kernels.Cpu;
using Lavt.Options;

namespace Lavt.Evaluation;

/// <summary>
/// Measures models on request: a line <c>forward|forward-bf16|train MODEL SWIN WINDOW SIZE BATCH SECONDS</c> is answered by a line of
/// JSON with the milliseconds of every step and the most memory that the process has held.
/// </summary>
/// <param name="requests">Where the requests come from.</param>
/// <param name="answers">Where the answers go.</param>
public sealed class BenchmarkServer(TextReader requests, TextWriter answers)
{
    /// <summary>The video model of the journal paper; its clips have as many frames as its windows.</summary>
    private const string VideoFlags = "--sep_t_pwam --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 --mm_t3x3_s1x1";

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
                Answer(new { milliseconds = seconds.Select(s => Math.Round(1000 * s, 3)), peak_bytes = ProcessMemory.PeakMiB << 20 });
            }
            catch (Exception failure) when (failure is FormatException or OptionException)
            {
                Answer(new { error = failure.Message });
            }
        }
    }

    private List<double> Measure(string[] words)
    {
        if (words.Length != 7 || words[0] is not ("forward" or "forward-bf16" or "train"))
            throw new FormatException("expected: forward|forward-bf16|train MODEL SWIN WINDOW SIZE BATCH SECONDS");
        // A figure of float32 under the name of bfloat16 would mislead.
        if (words[0] == "forward-bf16" && Bf16Gemm.Missing is { } why)
            throw new OptionException("forward-bf16", $"products of bfloat16 are not available: {why}");
        string name = string.Join(' ', words[..6]);
        if (name != _case)
        {
            _benchmark = null;
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Tensors.HostAllocator.Trim();
            string variant = words[1] == "lavt_video" ? VideoFlags : "";
            LavtOptions options = new()
            {
                Model = ModelOptions.Parse($"--model {words[1]} --swin_type {words[2]} --window {words[3]} {variant}"),
                Data = new DataOptions { ImageSize = int.Parse(words[4], CultureInfo.InvariantCulture), Frames = ModelOptions.FramesOfWindow },
                Machine = new MachineOptions { Precision = words[0] == "forward-bf16" ? Precision.BFloat16 : Precision.Float32 },
            };
            _benchmark = new ModelBenchmark(options, int.Parse(words[5], CultureInfo.InvariantCulture));
            _case = name;
        }
        double seconds = double.Parse(words[6], CultureInfo.InvariantCulture);
        return words[0] == "train" ? _benchmark!.TrainingStep(seconds, 1) : _benchmark!.Forward(seconds, 1);
    }

    private void Answer(object answer)
    {
        answers.WriteLine(JsonSerializer.Serialize(answer));
        answers.Flush();
    }
}
