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
    public SwinStage(ModelOptions options, int stage, RandomSource random)
    {
        _options = options;
        _isFirst = stage == 0;
        SwinSize size = options.Backbone;
        int channels = size.Channels(stage), depth = size.Depths[stage], before = 0;
        for (int i = 0; i < stage; i++) before += size.Depths[i];
        int all = size.Depths.Sum;
        _blocks = Register("blocks", new ModuleList<SwinBlock>(Enumerable.Range(0, depth).Select(i => new SwinBlock(
            channels, size.Heads[stage], size.Window, i % 2 == 0 ? 0 : size.Window / 2, all > 1 ? size.DropPath * (before + i) / (all - 1) : 0, random))));
        _fusion = Register("fusion", new Pwam(channels, options.Bert.HiddenSize, options.FusionHeads[stage], options.Fuse, options.AttentionNorm, options.FusionDropout, random));
        if (options.Version == GateVersion.Default)
        {
            _gate0 = Register("res_gate.0", new Linear(channels, channels, random, bias: false));
            _gate2 = Register("res_gate.2", new Linear(channels, channels, random, bias: false));
        }
        if (stage < PerStage.Count - 1) _merging = Register("downsample", new PatchMerging(channels, random));
    }

    /// <summary>The blocks alone, which know nothing of the sentence: [B, H·W, C] to the same.</summary>
    public Tensor Blocks(Tensor x, int height, int width)
    {
        using MemoryScope scope = MemoryScope.Begin();
        for (int i = 0; i < _blocks.Count; i++)
        {
            SwinBlock block = _blocks[i];
            x = _options.UseCheckpoint && Training
                ? Checkpoint.Run(input => block.Forward(input, height, width), x)
                : block.Forward(x, height, width);
        }
        return scope.Return(x);
    }

    /// <summary>What follows the blocks.</summary>
    /// <param name="x">The blocks' result [B, H·W, C].</param>
    /// <param name="height">Rows of the map.</param>
    /// <param name="width">Columns of the map.</param>
    /// <param name="language">Words [B, L, language channels].</param>
    /// <param name="mask">1 for words, 0 for padding: [B, L].</param>
    /// <returns>What the decoder gets, and the next stage's input (null for the last stage).</returns>
    public (Tensor Emitted, Tensor? Next) Fuse(Tensor x, int height, int width, Tensor language, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor fused = _fusion.Forward(x, language, mask);
        // The last stage's sum goes nowhere unless it is what the stage emits.
        Tensor? sum = _merging is not null || _options.HiddenStates ? Sum(x, fused) : null;
        Tensor emitted = _options.HiddenStates ? sum! : _options.LazyPrediction ? x : fused;
        Tensor? next = _merging?.Forward(sum!, height, width);
        if (next is not null) scope.Return(next);
        return (scope.Return(emitted), next);
    }

    /// <summary>The first stage's map is the finest that the decoder gets: its errors are the largest part of a mask's.</summary>
    protected override DType ProductsOf(Module child, DType products) => _isFirst ? DType.F32 : products;

    private Tensor Sum(Tensor x, Tensor fused)
    {
        if (_options.Version == GateVersion.None) return x;
        if (_options.Version == GateVersion.NoGate) return Ops.Add(x, fused);
        Activation last = _options.GateActivation == GateActivation.Sigmoid ? Activation.Sigmoid : Activation.Tanh;
        Tensor gate = _gate2!.Forward(_gate0!.Forward(fused, Activation.Relu), last);
        return Ops.Gate(gate, fused, x);
    }
}
