using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>A stage of the backbone: Swin blocks, PWAM, the language gate, patch merging (LAVT, fig. 2).</summary>
public sealed class SwinStage : Module
{
    private readonly ModelOptions _options;
    private readonly bool _isFirst;
    private readonly ModuleList<SwinBlock> _blocks;
    private readonly Pwam _fusion;
    private readonly Linear? _gate0;
    private readonly Linear? _gate2;
    private readonly PatchMerging? _merging;

    /// <summary>Stage <paramref name="stage"/> (from 0) of the backbone that <paramref name="options"/> describe.</summary>
    /// <param name="options">The model.</param>
    /// <param name="stage">Which stage.</param>
    /// <param name="relativePositions"><see cref="Ops.RelativePositions"/> of the window; all blocks share it.</param>
    /// <param name="random">Source of the initial values.</param>
    public SwinStage(ModelOptions options, int stage, Tensor relativePositions, RandomSource random)
    {
        _options = options;
        _isFirst = stage == 0;
        SwinSize size = options.Backbone;
        int channels = size.Channels(stage), before = 0;
        for (int i = 0; i < stage; i++) before += size.Depths[i];
        _blocks = Register("blocks", new ModuleList<SwinBlock>(Enumerable.Range(0, size.Depths[stage]).Select(i => new SwinBlock(
            channels, size.Heads[stage], size.Window, i % 2 == 0 ? default : Half(size.Window), relativePositions, DropPath(size, before + i), random))));
        _fusion = Register("fusion", new Pwam(options, channels, options.Bert.HiddenSize, options.FusionHeads[stage], random));
        if (options.HasGate(stage))
        {
            _gate0 = Register("res_gate.0", new Linear(channels, channels, random, bias: false));
            _gate2 = Register("res_gate.2", new Linear(channels, channels, random, bias: false));
        }
        if (stage < PerStage.Count - 1) _merging = Register("downsample", new PatchMerging(channels, random));
    }

    /// <summary>The blocks alone, which know nothing of the sentence.</summary>
    /// <param name="map">Their input; in inference on long clips its memory is used for the result.</param>
    public FeatureMap Blocks(FeatureMap map)
    {
        using MemoryScope scope = MemoryScope.Begin();
        (Tensor x, Volume volume) = map;
        bool inPlace = Tape.Current is null && !Training && volume.Frames > FramePieces.Frames;
        for (int i = 0; i < _blocks.Count; i++)
        {
            SwinBlock block = _blocks[i];
            if (inPlace) block.ForwardInPlace(x, volume);
            else x = _options.UseCheckpoint && Training ? Checkpoint.Run(input => block.Forward(input, volume), x) : block.Forward(x, volume);
        }
        return map with { Tokens = inPlace ? x : scope.Return(x) };
    }

    /// <summary>What the fusion makes of the blocks' result before it hears the sentence.</summary>
    public PwamVisuals Visuals(FeatureMap map) => _fusion.Visuals(map);

    /// <summary>What follows the blocks.</summary>
    /// <param name="visuals">The result of <see cref="Visuals"/>.</param>
    /// <param name="language">Words [B, L, language channels].</param>
    /// <param name="mask">1 for words, 0 for padding: [B, L].</param>
    /// <returns>What the decoder gets, [B, T·H·W, C], and the next stage's input (null for the last stage).</returns>
    public (Tensor Emitted, FeatureMap? Next) Fuse(PwamVisuals visuals, Tensor language, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        FeatureMap map = visuals.Map;
        Tensor x = map.Tokens, fused = _fusion.Forward(visuals, language, mask);
        if (_options.HiddenStates)
        {
            Tensor sum = Sum(x, fused);
            return (scope.Return(sum), Merge(scope, map, (start, count) => Frames(sum, map.Volume, start, count)));
        }
        return (scope.Return(_options.LazyPrediction ? x : fused),
            Merge(scope, map, (start, count) => Sum(Frames(x, map.Volume, start, count), Frames(fused, map.Volume, start, count))));
    }

    /// <summary>The first stage's map is the finest that the decoder gets: its errors are the largest part of a mask's.</summary>
    protected override DType ProductsOf(Module child, DType products) => _isFirst ? DType.F32 : products;

    private static Volume Half(Volume window) => new(window.Frames / 2, window.Height / 2, window.Width / 2);

    private static double DropPath(SwinSize size, int block) =>
        size.Depths.Sum > 1 ? size.DropPath * block / (size.Depths.Sum - 1) : 0;

    /// <summary>The next stage's input from the sum of visual and fused features, which is given for frames of the batch.</summary>
    private FeatureMap? Merge(MemoryScope scope, FeatureMap map, Func<int, int, Tensor> sum)
    {
        if (_merging is null) return null;
        int clips = map.Tokens.Shape[0];
        Tensor merged = FramePieces.Concat(clips * map.Volume.Frames, (start, count) => _merging.Forward(sum(start, count), map.Volume.Height, map.Volume.Width));
        Volume halved = PatchMerging.Halved(map.Volume);
        return new FeatureMap(scope.Return(Ops.Reshape(merged, [clips, halved.Count, merged.Shape[2]])), halved);
    }

    /// <summary>Some frames of the batch, [count, H·W, C].</summary>
    private static Tensor Frames(Tensor tokens, Volume volume, int start, int count)
    {
        Tensor frames = Ops.Reshape(tokens, [tokens.Shape[0] * volume.Frames, volume.Plane, tokens.Shape[2]]);
        return count == frames.Shape[0] ? frames : frames.ViewSlice(0, start, count);
    }

    private Tensor Sum(Tensor x, Tensor fused)
    {
        if (_options.Version == GateVersion.NoGate) return Ops.Add(x, fused);
        if (_gate0 is null) return x;
        Activation last = _options.GateActivation == GateActivation.Sigmoid ? Activation.Sigmoid : Activation.Tanh;
        Tensor gate = _gate2!.Forward(_gate0.Forward(fused, Activation.Relu), last);
        return Ops.Gate(gate, fused, x);
    }
}
