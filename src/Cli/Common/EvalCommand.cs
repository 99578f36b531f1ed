using System.CommandLine;
using System.Globalization;
using Lavt.Data;
using Lavt.Evaluation;
using Lavt.Nn.Parallel;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Training;

namespace Lavt.Cli;

/// <summary><c>lavt-eval</c> and <c>lavt eval</c>.</summary>
internal static class EvalCommand
{
    private const string Description = "Evaluates a trained LAVT on every sentence of a split.";

    /// <summary>Sentences that go through the model together unless <c>--batch-size</c> says otherwise: more of them are no faster on a CPU and cost memory.</summary>
    private const int DefaultBatch = 2;

    /// <summary>As a command of <c>lavt</c>.</summary>
    public static Command Create() => Configure(new Command("eval", Description));

    /// <summary>As an executable of its own.</summary>
    public static RootCommand CreateRoot() => Configure(new RootCommand(Description));

    private static TCommand Configure<TCommand>(TCommand command) where TCommand : Command
    {
        var devices = new Argument<string?>("devices") { Arity = ArgumentArity.ZeroOrOne, Description = "Accepted without effect: the published number of GPUs." };
        command.Add(devices);
        var flags = new FlagOptions(command);
        HelpPage.Attach(command,
            "lavt-eval --dataset refcoco --split val --resume checkpoints/refcoco.pth",
            "lavt-eval --dataset refcocog --splitBy umd --split test --resume checkpoints/gref_umd.pth --json results.json",
            "lavt-eval --dataset refcoco --split testA --resume checkpoints/refcoco.pth --limit-val 50 --overlay pictures",
            "lavt-eval --dataset a2d --split val --resume checkpoints/a2d.pth --a2d_data_root ./data/A2D/Release --a2d_masks",
            "lavt-eval --dataset ytvos --split valid --resume checkpoints/ytvos.pth --sliding_window 32 --zip submission.zip");
        command.SetAction(result =>
        {
            LavtOptions options = flags.Read(result);
            if (result.GetValue(devices) is { } count)
                AcceptDevices(count);
            return Run(options);
        });
        return command;
    }

    /// <summary>The published evaluation of clips takes the number of GPUs in front of the flags.</summary>
    private static void AcceptDevices(string count)
    {
        if (!int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            throw new OptionException(count, "unexpected argument; see --help");
        Terminal.Note($"the number of GPUs ({count}) has no effect: --gpus {count} evaluates on GPUs");
    }

    private static int Run(LavtOptions options)
    {
        options = Machine.OfThisProcess(options);
        Machine.Prepare(options.Machine);
        OutputPath.RequireWritable(options.Evaluation.JsonFile);
        OutputPath.RequireWritable(options.Evaluation.ZipFile);
        using var interruption = new Interruption();
        return DeviceGroup.Run(options, (own, devices) => Run(own, devices, interruption));
    }

    private static int Run(LavtOptions options, CollectiveQueue devices, Interruption interruption)
    {
        TrainedModel trained = TrainedModel.Load(options);
        options = trained.Options;
        if (trained.FoundInWeights.Count > 0)
            Terminal.Note($"read from the weights: {string.Join(' ', trained.FoundInWeights)}");
        if (options.Data.IsOfClips || options.Data.CombinedImagesAsClips)
            return ClipEvaluation.Run(trained, devices, interruption.Token) ?? interruption.ExitCode;
        ReferDatasets.RequirePictures(options);
        ReferDataset dataset = ReferDatasets.Open(options.Data, options.Data.Split, ReferDatasets.LoadTokenizer(options.Data, options.Model.Bert));
        var status = new StatusLine();
        SideOutput<EvaluatedMask>? overlays = options.Evaluation.OverlayFolder is { } folder ? new(new OverlayFolder(folder, dataset.Data).Add) : null;
        int batch = options.Given.Contains("--batch-size") ? options.Training.BatchSize : DefaultBatch;
        var evaluator = new Evaluator(trained.Model, dataset, batch, options.Data.Workers)
        {
            Devices = devices,
            SwapSentences = options.Evaluation.SwapSentences,
            Progress = devices.Rank > 0 ? null : (done, total) => status.Progress(new TrainingProgress(dataset.Split, done, total, null, null)),
            MaskReady = overlays is null ? null : overlays.Add,
        };
        if (Evaluate(evaluator, dataset, options, interruption, status) is not { } report)
            return interruption.ExitCode;
        if (devices.Rank == 0)
        {
            Console.Write(report);
            foreach (string broken in report.BrokenSamples)
                Terminal.Error("left out: " + broken);
            if (options.Evaluation.JsonFile is { } file)
                report.Save(file);
        }
        overlays?.Finish();
        if (devices.Rank > 0)
            return ExitCode.Ok;
        return report.BrokenSamples.Count == 0 ? ExitCode.Ok : ExitCode.BrokenSamples;
    }

    private static EvaluationReport? Evaluate(
        Evaluator evaluator, ReferDataset dataset, LavtOptions options, Interruption interruption, StatusLine status)
    {
        SampleChoice[] plan = dataset.EvaluationPlan();
        if (options.Training.LimitValidation is { } limit)
            plan = [.. plan.Where(choice => choice.Sample < limit)];
        try
        {
            return evaluator.Run(plan, interruption.Token) with { Checkpoint = options.Weights.Resume };
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        finally
        {
            status.Clear();
        }
    }
}
