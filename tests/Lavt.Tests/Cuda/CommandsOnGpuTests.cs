using Lavt.Cli;
using Lavt.Tests.Cli;
using Lavt.Tests.Training;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>What the command line says of GPUs: with the emulator, without a driver, without NVRTC.</summary>
public class CommandsOnGpuTests
{
    private const string Nothing = "/nonexistent/library.so";

    [Fact]
    public void Doctor_shows_driver_compiler_and_GPU_and_runs_a_kernel()
    {
        Executable run = Doctor(Emulator(), Emulator());
        Assert.Contains("CPU emulator, compute capability 9.0", run.Output, StringComparison.Ordinal);
        Assert.Matches(@"NVRTC +\d+\.\d+, .*libcuda_emulator\.so", run.Output);
        Assert.Contains(Environment.GetEnvironmentVariable("LAVT_KERNEL_CACHE")!, run.Output, StringComparison.Ordinal);
        Assert.Contains("a kernel was compiled and computes right", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Doctor_says_where_a_missing_library_was_looked_for()
    {
        Executable nothing = Doctor(Nothing, Nothing);
        Assert.Contains("no NVIDIA driver: libcuda.so.1 was not found", nothing.Output, StringComparison.Ordinal);
        Assert.Contains("no NVRTC: libnvrtc was not found", nothing.Output, StringComparison.Ordinal);
        Executable run = Doctor(Emulator(), Nothing);
        Assert.Contains("no NVRTC: libnvrtc was not found", run.Output, StringComparison.Ordinal);
        Assert.Contains(Nothing, run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, "bench --model lavt_one", "cuda", "--device cuda:0: no NVIDIA driver")]
    [InlineData(true, "bench --model lavt_one", "cuda:63", "--device cuda:63: there is no cuda:63: the driver offers 2 GPUs")]
    [InlineData(false, "train", "cuda", "--device cuda:0: no NVIDIA driver")]
    [InlineData(false, "demo", "cuda", "--device cuda:0: no NVIDIA driver")]
    [InlineData(true, "demo --video", "cuda:63", "--device cuda:63: there is no cuda:63: the driver offers 2 GPUs")]
    public void A_missing_GPU_is_one_message_with_its_own_exit_code(bool hasDriver, string command, string device, string message)
    {
        string library = hasDriver ? Emulator() : Nothing;
        Executable run = Executable.RunWith(Variables(library, library), Environment.CurrentDirectory, "lavt", [.. command.Split(' '), "--device", device]);
        Assert.Equal(ExitCode.Device, run.ExitCode);
        Assert.Contains(message, run.Errors, StringComparison.Ordinal);
        Assert.Single(run.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData("fp32")]
    [InlineData("tf32")]
    [InlineData("bf16")]
    [InlineData("fp16")]
    public void Train_and_eval_run_on_a_GPU(string precision)
    {
        using SmallRun run = new();
        string data = $"--refer_data_root {run.Data} --bert_tokenizer {run.Data} --device cuda --precision {precision}";
        string[] train = $"{run.Flags} --epochs 1 --limit-train 6 --limit-val 1 --use_checkpoint --print-freq 1 --device cuda --precision {precision}".Split(' ');
        Executable trained = Executable.RunWith(Variables(Emulator(), Emulator()), run.Folder, "lavt-train", train);
        Assert.Equal(ExitCode.Ok, trained.ExitCode);
        Assert.Contains("on cuda:0", trained.Errors, StringComparison.Ordinal);
        Assert.Contains("step 2/2  loss", trained.Errors, StringComparison.Ordinal);
        Executable evaluated = Executable.RunWith(Variables(Emulator(), Emulator()), run.Folder, "lavt-eval",
            $"--split testB {data} --resume checkpoints/model_best_lavt.pth".Split(' '));
        Assert.Equal(ExitCode.Ok, evaluated.ExitCode);
        Assert.Contains("IoU", evaluated.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tf32")]
    [InlineData("fp16")]
    public void Types_of_GPUs_need_a_GPU(string precision)
    {
        Executable run = Executable.Run("lavt", "bench", "--model", "lavt_one", "--precision", precision);
        Assert.Equal(ExitCode.Usage, run.ExitCode);
        Assert.Contains($"{precision} is a type of GPUs", run.Errors, StringComparison.Ordinal);
    }

    private static Executable Doctor(string driver, string compiler) => Executable.RunWith(Variables(driver, compiler), Environment.CurrentDirectory, "lavt", "doctor");

    private static string Emulator()
    {
        _ = Gpu.Device;
        if (!Gpu.IsEmulated) Assert.Skip("the commands are tested with the emulator");
        return Path.Combine(EmulatorBuild.Run(), "libcuda_emulator.so");
    }

    private static Dictionary<string, string> Variables(string driver, string compiler) =>
        new() { ["LAVT_CUDA_LIB"] = driver, ["LAVT_NVRTC_LIB"] = compiler };
}
