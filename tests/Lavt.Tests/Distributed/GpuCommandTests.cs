using Lavt.Cli;
using Lavt.Options;
using Lavt.Tests.Cuda;
using Lavt.Tests.Training;
using Xunit;

namespace Lavt.Tests.Distributed;

/// <summary>Commands on several GPUs as users start them: <c>--gpus</c>, and processes that NCCL connects.</summary>
public sealed class GpuCommandTests(SmallRun run) : IClassFixture<SmallRun>
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2), s_endsWithin = TimeSpan.FromSeconds(15);

    [Theory]
    [InlineData("1", "cuda:0")]
    [InlineData("3", "cuda:0,cuda:1,cuda:2")]
    [InlineData("0,2", "cuda:0,cuda:2")]
    [InlineData("2,0", "cuda:2,cuda:0")]
    public void Gpus_are_a_number_or_a_list(string text, string devices) => Assert.Equal(devices, MachineOptions.DevicesOfGpus(text));

    [Theory]
    [InlineData("0")]
    [InlineData("1,1")]
    [InlineData("all")]
    [InlineData("-1")]
    [InlineData("1,")]
    [InlineData("")]
    public void Other_texts_are_refused(string text) => Assert.Throws<FormatException>(() => MachineOptions.DevicesOfGpus(text));

    [Fact]
    public void Training_and_evaluation_take_the_GPUs_they_are_told()
    {
        (string Name, string Value)[] emulator = Emulator();
        using (Job job = Job.Start([Job.Program, "train"], run.Folder, Flags("gpus") + " --gpus 2", emulator))
        {
            Assert.True(job.End(s_patience) == ExitCode.Ok, job.Printed);
            Assert.Contains("on 2 devices", job.Printed, StringComparison.Ordinal);
        }
        string evaluate = $"--refer_data_root {run.Data} --bert_tokenizer {run.Data} --img_size 32 --workers 1 --split val --resume {run.PathOf("model_last_gpus.pth")} --json ";
        string[] reports = [.. new[] { "--gpus 1", "--gpus 2" }.Select(gpus =>
        {
            string file = run.PathOf(gpus + ".json");
            using Job job = Job.Start([Job.Program, "eval"], run.Folder, evaluate + file.Replace(' ', '_') + " " + gpus, emulator);
            Assert.True(job.End(s_patience) == ExitCode.Ok, job.Printed);
            string[] lines = File.ReadAllLines(file.Replace(' ', '_'));
            return string.Join('\n', lines.Where(line => !line.Contains("seconds", StringComparison.OrdinalIgnoreCase) && !line.Contains("memory", StringComparison.OrdinalIgnoreCase)));
        })];
        Assert.Equal(reports[0], reports[1]);
    }

    [Fact]
    public void A_GPU_that_is_not_there_is_one_message()
    {
        using Job job = Job.Start([Job.Program, "train"], run.Folder, Flags("missing") + " --gpus 3", Emulator());
        Assert.Equal(ExitCode.Device, job.End(s_patience));
        Assert.Contains("there is no cuda:2: the driver offers 2 GPUs", Assert.Single(job.Printed.Split('\n'), line => line.Contains("error", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void Processes_without_NCCL_say_where_it_was_looked_for()
    {
        (Job zero, Job one) = Start("without", [.. Emulator(), ("LAVT_NCCL_LIB", "/nonexistent/libnccl.so")]);
        using (zero)
        using (one)
        {
            Assert.Equal(ExitCode.Device, zero.End(s_endsWithin));
            string message = Assert.Single(zero.Printed.Split('\n'), line => line.Contains("error", StringComparison.Ordinal));
            Assert.Contains("no NCCL: libnccl.so.2 was not found", message, StringComparison.Ordinal);
            Assert.Contains("/nonexistent/libnccl.so", message, StringComparison.Ordinal);
            Assert.NotEqual(ExitCode.Ok, one.End(s_endsWithin));
        }
    }

    [Fact]
    public void A_process_that_is_killed_ends_the_others_and_a_new_start_goes_on_exactly()
    {
        (string, string)[] emulator = Emulator();
        Finish(Start("whole", emulator));
        (Job zero, Job one) = Start("killed", emulator);
        using (zero)
        using (one)
        {
            zero.WaitFor("loss", 2);
            one.Kill();
            Assert.Equal(ExitCode.Distributed, zero.End(s_endsWithin));
            Assert.Contains("rank 1 is gone", Assert.Single(zero.Printed.Split('\n'), line => line.Contains("error", StringComparison.Ordinal)), StringComparison.Ordinal);
        }
        Finish(Start("killed", emulator));
        Assert.Equal(CheckpointContents.Of(run.PathOf("model_last_whole.pth")), CheckpointContents.Of(run.PathOf("model_last_killed.pth")));
    }

    private static void Finish((Job Zero, Job One) jobs)
    {
        using (jobs.Zero)
        using (jobs.One)
        {
            Assert.True(jobs.Zero.End(s_patience) == ExitCode.Ok, jobs.Zero.Printed);
            Assert.True(jobs.One.End(s_patience) == ExitCode.Ok, jobs.One.Printed);
        }
    }

    /// <summary>Two processes with a GPU each.</summary>
    private (Job Zero, Job One) Start(string name, (string Name, string Value)[] variables)
    {
        int port = Job.FreePort();
        Job Rank(int rank) => Job.Start([Job.Program, "train"], run.Folder, Flags(name) + " --device cuda --resume auto",
        [
            .. variables, ("RANK", $"{rank}"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", $"{rank}"), ("LOCAL_WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", $"{port}"),
        ]);
        return (Rank(0), Rank(1));
    }

    private string Flags(string name) => $"{run.Flags} --batch-size 2 --epochs 2 --limit-train 8 --limit-val 2 --print-freq 1 --threads 1 --output-dir {run.Folder} --model_id {name}";

    private static (string Name, string Value)[] Emulator()
    {
        _ = Gpu.Device;
        if (!Gpu.IsEmulated) Assert.Skip("the commands are tested with the emulator");
        string folder = EmulatorBuild.Run(), library = Path.Combine(folder, "libcuda_emulator.so");
        return [("LAVT_CUDA_LIB", library), ("LAVT_NVRTC_LIB", library), ("LAVT_NCCL_LIB", library), ("LAVT_KERNEL_CACHE", Path.Combine(folder, "kernels"))];
    }
}
