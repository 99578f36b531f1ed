using System.CommandLine;
using System.Globalization;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Training;

namespace Lavt.Cli;

/// <summary><c>lavt-train</c> and <c>lavt train</c>.</summary>
internal static class TrainCommand
{
    private const string Description = "Trains LAVT on sentences that refer to objects of pictures or videos.";

    /// <summary>As a command of <c>lavt</c>.</summary>
    public static Command Create() => Configure(new Command("train", Description));

    /// <summary>As an executable of its own.</summary>
    public static RootCommand CreateRoot() => Configure(new RootCommand(Description));

    private static TCommand Configure<TCommand>(TCommand command) where TCommand : Command
    {
        var flags = new FlagOptions(command);
        HelpPage.Attach(command,
            "lavt-train --model lavt_one --dataset refcoco --model_id refcoco --batch-size 8 --lr 5e-5 --wd 1e-2 --swin_type base --pretrained_swin_weights swin_base_patch4_window12_384_22k.pth --epochs 40",
            "lavt-train --dataset refcocog --splitBy umd --model_id gref --swin_type tiny --batch-size 2 --accumulate 4",
            "lavt-train --model lavt_video --dataset ytvos --model_id ytvos --batch-size 1 --accumulate 4 --swin_type tiny --sep_t_pwam --pretrained_swin_weights swin_tiny_patch244_window877_kinetics400_1k.pth",
            "lavt-train --dataset refcoco --model_id refcoco --resume checkpoints/model_last_refcoco.pth");
        command.SetAction(result => Run(flags.Read(result)));
        return command;
    }

    private static int Run(LavtOptions options)
    {
        options = Machine.OfThisProcess(options);
        Machine.Prepare(options.Machine);
        if (options.Training.MixedPrecision && !options.Machine.Device.IsCuda)
            Terminal.Note("--use_amp has no effect: the CPU computes in fp32");
        using var interruption = new Interruption();
        return DeviceGroup.Run(options, (own, devices) => Train(own, devices, interruption));
    }

    private static int Train(LavtOptions options, CollectiveQueue devices, Interruption interruption)
    {
        var status = new StatusLine();
        TrainingResult result;
        try
        {
            result = new Trainer(options, status, devices: devices).Run(interruption.Token);
        }
        finally
        {
            status.Clear();
        }
        if (!result.IsFinished)
            return interruption.ExitCode;
        if (devices.Rank > 0)
            return ExitCode.Ok;
        Console.WriteLine(result.BestOverallIou < 0
            ? $"nothing was validated on; the last weights are in {result.LastCheckpoint}"
            : string.Create(CultureInfo.InvariantCulture, $"best overall IoU on val: {result.BestOverallIou:F2}, in {result.BestCheckpoint}"));
        return ExitCode.Ok;
    }
}
