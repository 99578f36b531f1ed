using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Models;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Weights;
using Xunit;

namespace Lavt.Tests.Models;

/// <summary>What the model for clips promises beside the golden numbers.</summary>
public class VideoModelTests
{
    private const string Small = " --embed_dim 16 --depths 2-2-2-2 --heads 1-2-4-8 --window 3 --bert_vocabulary 30 --bert_hidden 16 --bert_layers 1 --bert_heads 2 --bert_intermediate 32 --bert_positions 22";

    /// <summary>Inference of long clips in pieces gives what one pass over the whole clip gives.</summary>
    [Theory]
    [InlineData(9)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(16)]
    [InlineData(21)]
    public void Long_clips_in_pieces_are_exact(int frames)
    {
        LavtModel model = Model("--model lavt_video --sep_t_pwam --conv3d_kernel_size_t 3-3-3 --w_t3x3_s1x1 --mm_t3x3_s1x1");
        (Tensor clip, Tensor language, Tensor mask) = Inputs(1, frames, 70, 54);
        float[] pieces = model.Forward(clip, language, mask).ToArray<float>(), whole;
        using (Tape.Begin()) whole = model.Forward(clip, language, mask).ToArray<float>();
        Close(whole, pieces);
    }

    /// <summary>Inference takes the entries of a batch one after the other; a pass that is recorded takes them together.</summary>
    [Theory]
    [InlineData("--model lavt_one", 1)]
    [InlineData("--model lavt_one --ytvos_2d_swin_pwam", 3)]
    [InlineData("--model lavt_video --sep_t_pwam", 2)]
    public void Entries_of_a_batch_are_exact(string flags, int frames)
    {
        LavtModel model = Model(flags);
        (Tensor clips, Tensor language, Tensor mask) = Inputs(3, frames, 70, 54);
        float[] alone = model.Forward(clips, language, mask).ToArray<float>(), together;
        using (Tape.Begin()) together = model.Forward(clips, language, mask).ToArray<float>();
        Close(together, alone);
    }

    [Theory]
    [InlineData(11, 9, 9)]
    [InlineData(20, 2, 9)]
    [InlineData(20, 3, 3)]
    [InlineData(24, 7, 2)]
    public void A_block_in_place_is_exact(int frames, int height, int width)
    {
        Volume window = new(8, 3, 3), map = new(frames, height, width);
        SwinBlock block = new(8, 2, window, new Volume(4, 1, 1), Ops.RelativePositions(window), 0, new RandomSource(1));
        foreach ((_, Tensor parameter) in block.Parameters()) new RandomSource((ulong)parameter.Count).FillUniform(parameter.Span<float>(), -1, 1);
        Tensor x = Random([2, map.Count, 8]);
        float[] expected = block.Forward(x, map).ToArray<float>();
        block.ForwardInPlace(x, map);
        Close(expected, x.ToArray<float>());
    }

    [Theory]
    [InlineData(8, 8, 0, "0+8/8")]
    [InlineData(19, 8, 0, "0+8/8 8+8/8 16+3/8")]
    [InlineData(19, 8, 4, "0+4/4 4+8/8 12+7/8")]
    [InlineData(21, 8, 4, "0+4/4 4+8/8 12+8/8 20+1/4")]
    [InlineData(24, 8, 4, "0+4/4 4+8/8 12+8/8 20+4/4")]
    public void Groups_are_the_frames_that_meet_in_windows(int frames, int window, int shift, string expected) =>
        Assert.Equal(expected, string.Join(' ', FramePieces.WindowGroups(frames, window, shift).Select(g => $"{g.Start}+{g.Count}/{g.Window}")));

    [Fact]
    public void A_picture_model_takes_a_clip_frame_by_frame()
    {
        LavtModel model = Model("--model lavt_one --ytvos_2d_swin_pwam");
        (Tensor clips, Tensor language, Tensor mask) = Inputs(2, 3, 48, 40);
        float[] logits = model.Forward(clips, language, mask).ToArray<float>();
        for (int i = 0; i < 6; i++)
        {
            Tensor frame = clips.ViewAs([6, 3, 48, 40]).ViewSlice(0, i, 1).Copy();
            float[] alone = model.Forward(frame, language.ViewSlice(0, i / 3, 1).Copy(), mask.ViewSlice(0, i / 3, 1).Copy()).ToArray<float>();
            Close(alone, logits[(i * alone.Length)..((i + 1) * alone.Length)]);
        }
    }

    [Fact]
    public void A_picture_backbone_can_fuse_a_clip_as_one()
    {
        (Tensor clips, Tensor language, Tensor mask) = Inputs(2, 3, 48, 40);
        LavtModel joint = Model("--model lavt_one --ytvos_2d_swin_3d_pwam --sep_t_pwam");
        FeatureMap prefix = joint.Prefix(clips).Map;
        Assert.Equal(new Volume(3, 12, 10), prefix.Volume);
        // The blocks see frames alone: the first stage's are those of the pictures.
        LavtModel alone = Model("--model lavt_one");
        StateLoader.Load(alone, joint.State().ToDictionary(e => e.Name, e => e.Value.Copy()), "joint");
        Close(alone.Prefix(clips).Map.Tokens.ToArray<float>(), prefix.Tokens.ToArray<float>());
        Assert.Equal(new Shape(6, 48, 40, 2), joint.Forward(clips, language, mask).Shape);
    }

    [Theory]
    [InlineData("--sep_t_pwam --w_t3x3_s1x1 --mm_t3x3_s1x1")]
    [InlineData("--ts_pwam --cat_reduce_3 --fusion_drop 0.2")]
    [InlineData("--seq_t_pwam --res --use_checkpoint")]
    public void Every_trained_parameter_gets_a_gradient(string flags)
    {
        LavtModel model = Model("--model lavt_video --drop_path 0.1 " + flags);
        model.SetMode(training: true);
        Generator.Current = new RandomSource(1);
        (Tensor clip, Tensor language, Tensor mask) = Inputs(1, 9, 56, 40);
        using (Tape tape = Tape.Begin())
            tape.Backward(Ops.CrossEntropyLoss(model.Forward(clip, language, mask), Tensor.Zeros([9, 56, 40], DType.U8)));
        // The last stage's gate acts on nothing that the decoder sees.
        string[] missing = [.. model.Backbone.Parameters().Where(p => p.Value.Gradient() is null).Select(p => p.Name)];
        Assert.Equal(flags.Contains("checkpoint", StringComparison.Ordinal) ? [] : ["layers.3.res_gate.0.weight", "layers.3.res_gate.2.weight"], missing);
    }

    [Fact]
    public void Sentences_about_one_clip_share_what_does_not_depend_on_them()
    {
        LavtModel model = Model("--model lavt_video --sep_t_pwam");
        (Tensor clip, Tensor language, Tensor mask) = Inputs(1, 3, 40, 40);
        Tensor words = Random([2, 5, 16]), masks = Ops.Full([2, 5], 1);
        PwamVisuals prefix = model.Prefix(clip);
        float[] both = model.Forward(prefix.ForSentences([0, 0]), 40, 40, words, masks).ToArray<float>();
        for (int i = 0; i < 2; i++)
        {
            float[] alone = model.Forward(clip, words.ViewSlice(0, i, 1).Copy(), masks.ViewSlice(0, i, 1).Copy()).ToArray<float>();
            Close(alone, both[(i * alone.Length)..((i + 1) * alone.Length)]);
        }
    }

    /// <summary>The model flags of the published command lines for video.</summary>
    [Theory]
    [InlineData("--model lavt_video --swin_type tiny --sep_t_pwam --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 --mm_t3x3_s1x1 --pretrained_swin_weights ./pretrained_weights/swin_tiny_patch244_window877_kinetics400_1k.pth --dataset a2d --img_size 480", 8, 7)]
    [InlineData("--model lavt_video --swin_type tiny --dataset a2d --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 --mm_t3x3_s1x1 --num_frames 8 --split val --resume ./checkpoints/a2d.pth --sample_3 --img_size 480 --clip_length 16", 8, 7)]
    [InlineData("--model lavt_video --sep_t_pwam --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 --mm_t3x3_s1x1 --swin_type tiny --dataset ytvos --split valid --resume ./models/ytvos.pth --img_size 480", 8, 7)]
    public void Published_command_lines_build_their_models(string commandLine, int frames, int window)
    {
        LavtOptions options = LavtFlags.Table.Parse(commandLine, new LavtOptions()).Resolve();
        Assert.Equal(frames, options.Data.Frames);
        Assert.Equal(new Volume(8, window, window), options.Model.Backbone.Window);
        LavtModel model = new(options.Model, RandomSource.None);
        Assert.Equal(commandLine.Contains("--sep_t_pwam", StringComparison.Ordinal), model.State().Any(e => e.Name == "backbone.layers.0.fusion.W_t.0.weight"));
        Assert.Contains(model.State(), e => e.Name == "text_encoder.encoder.layer.11.output.dense.weight");
    }

    private static LavtModel Model(string flags) => new(ModelOptions.Parse(flags + Small), new RandomSource(7));

    private static (Tensor Clips, Tensor Language, Tensor Mask) Inputs(int clips, int frames, int height, int width) =>
        (Random([clips, frames, 3, height, width]), Random([clips, 5, 16]), Ops.Full([clips, 5], 1));

    private static Tensor Random(Shape shape)
    {
        Tensor tensor = Tensor.Empty(shape);
        new RandomSource((ulong)shape.Count).FillUniform(tensor.Span<float>(), -1, 1);
        return tensor;
    }

    private static void Close(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        double difference = Math.Sqrt(expected.Zip(actual).Sum(p => Math.Pow((double)p.First - p.Second, 2))), norm = Math.Sqrt(expected.Sum(v => (double)v * v));
        Assert.True(difference <= 1e-5 * norm, $"relative difference {difference / norm:E1}");
    }
}
