using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>
/// A Swin transformer block (Liu et al., 2021, eq. 3; for clips Liu et al., "Video Swin transformer", 2022): attention within
/// (shifted) windows and a two-layer perceptron, each behind a layer norm and with a residual connection.
/// </summary>
public sealed class SwinBlock : Module
{
    private readonly Volume _window;
    private readonly Volume _shift;
    private readonly double _dropPath;
    private readonly LayerNorm _norm1;
    private readonly WindowAttentionLayer _attention;
    private readonly LayerNorm _norm2;
    private readonly Linear _fc1;
    private readonly Linear _fc2;

    /// <summary>A block.</summary>
    /// <param name="channels">Channels of a token.</param>
    /// <param name="heads">Attention heads.</param>
    /// <param name="window">Extents of a window; one frame for picture models.</param>
    /// <param name="shift">How far the windows are shifted.</param>
    /// <param name="relativePositions"><see cref="Ops.RelativePositions"/> of the window; all blocks share it.</param>
    /// <param name="dropPath">Probability with which a sample skips a branch in training.</param>
    /// <param name="random">Source of the initial values.</param>
    public SwinBlock(int channels, int heads, Volume window, Volume shift, Tensor relativePositions, double dropPath, RandomSource random)
    {
        (_window, _shift, _dropPath) = (window, shift, dropPath);
        _norm1 = Register("norm1", new LayerNorm(channels));
        _attention = Register("attn", new WindowAttentionLayer(channels, heads, window, relativePositions, random));
        _norm2 = Register("norm2", new LayerNorm(channels));
        _fc1 = Register("mlp.fc1", new Linear(channels, 4 * channels, random));
        _fc2 = Register("mlp.fc2", new Linear(4 * channels, channels, random));
    }

    /// <summary>Tokens [B, T·H·W, C] to the same.</summary>
    public Tensor Forward(Tensor x, Volume map)
    {
        (Volume window, Volume shift) = Fit(map);
        return Forward(x, map, window, shift);
    }

    /// <summary>
    /// The same for inference, in place: frames that never meet in a window are computed one group after the other, so that
    /// the memory needed besides <paramref name="x"/> does not grow with the clip.
    /// </summary>
    public void ForwardInPlace(Tensor x, Volume map)
    {
        (Volume window, Volume shift) = Fit(map);
        if (window.Plane != _window.Plane)
        {
            // In shrunk windows the position bias of two tokens depends on their places, also between frames.
            x.CopyFrom(Forward(x, map, window, shift));
            return;
        }
        for (int clip = 0; clip < x.Shape[0]; clip++)
            foreach ((int start, int count, int frames) in FramePieces.WindowGroups(map.Frames, window.Frames, shift.Frames))
            {
                using MemoryScope scope = MemoryScope.Begin();
                Tensor group = x.ViewSlice(0, clip, 1).ViewSlice(1, start * map.Plane, count * map.Plane);
                group.CopyFrom(Forward(group, map with { Frames = count }, window with { Frames = frames }, shift with { Frames = 0 }));
            }
    }

    private Tensor Forward(Tensor x, Volume map, Volume window, Volume shift)
    {
        using MemoryScope scope = MemoryScope.Begin();
        double dropPath = Training ? _dropPath : 0;
        Tensor attended = _attention.Attend(_norm1.Forward(x, Between), map, window, shift);
        if (dropPath == 0)
        {
            x = _attention.Project(attended, residual: x);
            return scope.Return(_fc2.Forward(_fc1.Forward(_norm2.Forward(x, Between), Activation.Gelu, result: Between, forLinear: true), residual: x));
        }
        x = Ops.Add(x, Ops.DropPath(_attention.Project(attended), dropPath));
        Tensor hidden = _fc2.Forward(_fc1.Forward(_norm2.Forward(x), Activation.Gelu));
        return scope.Return(Ops.Add(x, Ops.DropPath(hidden, dropPath)));
    }

    /// <summary>
    /// Video models shrink the window to a map that is not larger, and do not shift it along that axis; picture models pad
    /// small maps instead.
    /// </summary>
    private (Volume Window, Volume Shift) Fit(Volume map)
    {
        if (_window.Frames == 1) return (_window, _shift);
        (int frames, int frameShift) = Axis(map.Frames, _window.Frames, _shift.Frames);
        (int height, int down) = Axis(map.Height, _window.Height, _shift.Height);
        (int width, int right) = Axis(map.Width, _window.Width, _shift.Width);
        return (new Volume(frames, height, width), new Volume(frameShift, down, right));

        static (int Window, int Shift) Axis(int extent, int window, int shift) => extent <= window ? (extent, 0) : (window, shift);
    }
}
