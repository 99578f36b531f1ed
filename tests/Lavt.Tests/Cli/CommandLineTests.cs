using System.CommandLine;
using Lavt.Cli;
using Lavt.Options;
using Xunit;

namespace Lavt.Tests.Cli;

public class CommandLineTests
{
    /// <summary>The messages of wrong command lines would look like errors of the tests.</summary>
    static CommandLineTests() => Console.SetError(TextWriter.Null);

    /// <summary>The exit code and the options that a command with all flags gets from a command line.</summary>
    private static (int Code, LavtOptions? Options) Parse(string commandLine)
    {
        LavtOptions? read = null;
        var root = new RootCommand("test");
        var flags = new FlagOptions(root);
        HelpPage.Attach(root, "test");
        root.SetAction(result =>
        {
            read = flags.Read(result);
            return ExitCode.Ok;
        });
        return (CommandLine.Run(root, commandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries)), read);
    }

    private static LavtOptions Read(string commandLine)
    {
        (int code, LavtOptions? options) = Parse(commandLine);
        Assert.Equal(ExitCode.Ok, code);
        return options!;
    }

    [Fact]
    public void The_published_training_command_is_understood()
    {
        LavtOptions options = Read(
            "--model lavt --dataset refcoco --model_id refcoco --batch-size 8 --lr 0.00005 --wd 1e-2 --swin_type base "
            + "--pretrained_swin_weights ./pretrained_weights/swin_base_patch4_window12_384_22k.pth --epochs 40 --img_size 480");
        Assert.Equal(12, options.Model.Window);
        Assert.Equal("refcoco", options.Training.ModelId);
        Assert.Equal(5e-5, options.Training.LearningRate);
        Assert.Equal(1e-2, options.Training.WeightDecay);
        Assert.Equal(480, options.Data.ImageSize);
    }

    [Fact]
    public void The_published_evaluation_command_is_understood()
    {
        LavtOptions options = Read(
            "--model lavt --swin_type base --dataset refcocog --splitBy umd --split val --resume ./checkpoints/gref_umd.pth "
            + "--workers 4 --ddp_trained_weights --window12 --img_size 480");
        Assert.Equal(DatasetKind.RefCocoG, options.Data.Dataset);
        Assert.Equal("umd", options.Data.SplitBy);
        Assert.Equal("./checkpoints/gref_umd.pth", options.Weights.Resume);
        Assert.Equal(4, options.Data.Workers);
        Assert.Equal(12, options.Model.Window);
        Assert.Contains("--swin_type", options.Given);
        Assert.DoesNotContain("--mha", options.Given);
    }

    [Fact]
    public void The_published_video_command_is_understood_with_a_flag_given_twice()
    {
        LavtOptions options = Read(
            "--model lavt_video --swin_type tiny --dataset a2d --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 "
            + "--mm_t3x3_s1x1 --num_frames 8 --split val --resume ./checkpoints/a2d.pth --sample_3 --img_size 480 --clip_length 16 --split valid");
        Assert.Equal("3-3-3", options.Model.Video.TimeKernelSize);
        Assert.True(options.Model.Video.WT3x3S1x1 && options.Model.Video.MmT3x3S1x1);
        Assert.Equal(16, options.Data.ClipLength);
        Assert.Equal("valid", options.Data.Split);
    }

    [Theory]
    [InlineData("-b 3 -j 0", 3, 0)]
    [InlineData("--batch_size 3 --workers=0", 3, 0)]
    [InlineData("--batch-size 5 --batch-size 3 -j 4 --workers 0", 3, 0)]
    public void Other_spellings_mean_the_same(string commandLine, int batch, int workers)
    {
        LavtOptions options = Read(commandLine);
        Assert.Equal(batch, options.Training.BatchSize);
        Assert.Equal(workers, options.Data.Workers);
    }

    [Fact]
    public void The_gate_keeps_its_published_flag() => Assert.Equal(GateVersion.None, Read("--version none").Model.Version);

    [Fact]
    public void A_given_window_stands_against_the_name_of_the_weights() =>
        Assert.Equal(7, Read("--window 7 --pretrained_swin_weights swin_base_patch4_window12.pth").Model.Window);

    [Theory]
    [InlineData("--swin_typ tiny")]
    [InlineData("--swin_type huge")]
    [InlineData("--epochs many")]
    [InlineData("--epochs")]
    [InlineData("--efn")]
    [InlineData("--hs --lazy_pred")]
    [InlineData("stray")]
    [InlineData("--device gpu")]
    [InlineData("--lr -1")]
    public void A_wrong_command_line_is_a_usage_error(string commandLine)
    {
        (int code, LavtOptions? options) = Parse(commandLine);
        Assert.Equal(ExitCode.Usage, code);
        Assert.Null(options);
    }

    [Theory]
    [InlineData("--swin_typ", "--swin_type")]
    [InlineData("--batch", "--batch-size")]
    [InlineData("--spilt", "--split")]
    [InlineData("--Epochs", "--epochs")]
    [InlineData("--nothing_like_it_at_all", null)]
    public void Misspelt_flags_are_recognised(string word, string? meant) =>
        Assert.Equal(meant, Suggestion.Nearest(word, LavtFlags.Table.SelectMany(flag => flag.Aliases.Prepend(flag.Name))));

    [Fact]
    public void Every_flag_survives_a_checkpoints_args()
    {
        LavtOptions options = Read(
            "--model lavt_one --swin_type tiny --window 5 --epochs 3 --wd 0.5 --loss mc_dice --lang_enc_params embeddings+encoder-all "
            + "--splitBy google --limit-val 7 --seed 11 --threads 2 --sep_t_pwam") with
        { Given = [] };
        var args = LavtFlags.Table.ToArgs(options).ToDictionary(pair => pair.Key, pair => (object?)pair.Value);
        Assert.Equal(0.5, args["weight_decay"]);
        Assert.Equal(7L, args["limit_val"]);
        Assert.Equal(options, LavtFlags.Table.FromArgs(key => args.GetValueOrDefault(key), new LavtOptions(), new HashSet<string>()));
    }
}
