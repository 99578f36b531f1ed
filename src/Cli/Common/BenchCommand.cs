using System.CommandLine;
using Lavt.Evaluation;
using Lavt.Kernels;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Cli;

/// <summary><c>lavt bench</c>: how long a model takes on this machine.</summary>
internal static class BenchCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var runs = new Option<int>("--runs") { HelpName = "N", Description = "How often each is measured. Default 5.", DefaultValueFactory = _ => 5 };
        var train = new Option<bool>("--train") { Description = "Measure steps of training instead of forward passes." };
        var profile = new Option<bool>("--profile") { Description = "Show where the time goes, kernel by kernel." };
        var roofline = new Option<string?>("--roofline") { HelpName = "FILE", Description = "Draw the kernels below the machine's peaks, as SVG; measures them as --profile does." };
        var command = new Command("bench", "Measures how long a model takes on this machine, with random weights.") { runs, train, profile, roofline };
        var flags = new FlagOptions(command);
        HelpPage.Attach(command,
            "lavt bench --model lavt_one --swin_type base --window12",
            "lavt bench --model lavt --swin_type tiny --batch-size 2 --train",
            "lavt bench --model lavt_one --swin_type base --window12 --threads 1 --runs 10",
            "lavt bench --model lavt_video --swin_type tiny --sep_t_pwam --num_frames 8",
            "lavt bench --model lavt_one --swin_type base --window12 --profile --json profile.json",
            "lavt bench --model lavt_one --swin_type base --window12 --roofline roofline.svg");
        command.Subcommands.Add(Serve());
        command.SetAction(result => Run(flags.Read(result), result.GetValue(runs), result.GetValue(train), result.GetValue(profile), result.GetValue(roofline)));
        return command;
    }

    /// <summary>Answers requests on standard input, so that another program can measure this one beside others.</summary>
    private static Command Serve()
    {
        var threads = new Option<int>("--threads") { HelpName = "N", Description = "Threads that compute. Default: one per core.", DefaultValueFactory = _ => Environment.ProcessorCount };
        var device = new Option<string>("--device") { HelpName = "cpu|cuda[:N]", Description = "Where to compute. Default cpu.", DefaultValueFactory = _ => "cpu" };
        var command = new Command("serve", "Answers requests for measurements on standard input (the protocol is in bench/README.md).") { threads, device };
        HelpPage.Attach(command, "python3 bench/peers/compare.py --ours \"./lavt bench serve --threads {threads}\"", "lavt bench serve --device cuda");
        command.SetAction(result =>
        {
            Workers.SetDefaultCount(Math.Max(1, result.GetValue(threads)));
            Machine.Prepare(new MachineOptions { DeviceNames = result.GetValue(device)! });
            new BenchmarkServer(Console.In, Console.Out, result.GetValue(device)!).Run();
            return ExitCode.Ok;
        });
        return command;
    }

    private static int Run(LavtOptions options, int runs, bool train, bool profile, string? roofline)
    {
        if (runs < 1)
            throw new OptionException("--runs", $"must be at least 1, got {runs}");
        profile |= roofline is not null;
        Machine.Prepare(options.Machine);
        OutputPath.RequireWritable(options.Evaluation.JsonFile);
        OutputPath.RequireWritable(roofline);
        int batch = options.Given.Contains("--batch-size") ? options.Training.BatchSize : 1;
        var benchmark = new ModelBenchmark(options, batch) { Profiles = profile };
        List<double> seconds = train ? benchmark.TrainingStep(0, runs) : benchmark.Forward(0, runs);
        var report = new BenchmarkReport
        {
            Model = Describe(options),
            Step = train ? "training step" : options.Machine.Products == DType.BF16 ? "forward pass in bf16" : "forward pass",
            Batch = batch,
            ImageSize = options.Data.ImageSize,
            Threads = Workers.Current.Count,
            Seconds = seconds,
            PeakMemoryMib = ProcessMemory.PeakMiB,
            Kernels = benchmark.Kernels,
            Peak = profile ? MachinePeak.Measure() : null,
        };
        Console.Write(report);
        if (options.Evaluation.JsonFile is { } file)
            report.Save(file);
        if (roofline is not null)
            File.WriteAllText(roofline, RooflinePicture.Draw(report));
        return ExitCode.Ok;
    }

    private static string Describe(LavtOptions options)
    {
        string name = $"{ModelFlags.Table.Find("--model")!.Get(options.Model)} {options.Model.SwinType.ToString().ToLowerInvariant()}, window {options.Model.Window}";
        return options.Model.Model == ModelKind.LavtVideo ? $"{name}, clips of {options.Data.Frames} frames" : name;
    }
}
