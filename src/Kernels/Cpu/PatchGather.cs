using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The two rearrangements of Swin Transformer (Liu et al., 2021) that turn a strided convolution or a concatenation into
/// one matrix product: pictures into patches (patch embedding) and 2x2 neighbourhoods into long tokens (patch merging).
/// Both are pure copies, so that their gradients are the same copies backwards.
/// </summary>
public static unsafe class PatchGather
{
    /// <summary>
    /// x [B, C, H, W] to y [B, ⌈H/p⌉·⌈W/p⌉, C·p·p]; within a patch the order is (channel, row, column), that of a PyTorch
    /// convolution weight. Zeros stand for pixels beyond the right and bottom border.
    /// </summary>
    public static void EmbedForward(float* x, int batch, int channels, int height, int width, int patch, float* y)
    {
        EmbedBody body = new() { Planes = x, Patches = y, Channels = channels, Height = height, Width = width, Patch = patch, Forward = true };
        Workers.Current.For(batch * body.PatchRows, ref body);
    }

    /// <summary>The gradient of <see cref="EmbedForward"/>: dy [B, ⌈H/p⌉·⌈W/p⌉, C·p·p] to dx [B, C, H, W], all of which is written.</summary>
    public static void EmbedBackward(float* dy, int batch, int channels, int height, int width, int patch, float* dx)
    {
        EmbedBody body = new() { Planes = dx, Patches = dy, Channels = channels, Height = height, Width = width, Patch = patch, Forward = false };
        Workers.Current.For(batch * body.PatchRows, ref body);
    }

    /// <summary>
    /// x [B, H, W, C] to y [B, ⌈H/2⌉·⌈W/2⌉, 4C]: the neighbours with (row, column) offsets (0,0), (1,0), (0,1), (1,1) side by
    /// side, zeros beyond the right and bottom border.
    /// </summary>
    public static void MergeForward(float* x, int batch, int height, int width, int channels, float* y)
    {
        MergeBody body = new() { Map = x, Merged = y, Height = height, Width = width, Channels = channels, Forward = true };
        Workers.Current.For(batch * body.MergedRows, ref body);
    }

    /// <summary>The gradient of <see cref="MergeForward"/>: dy [B, ⌈H/2⌉·⌈W/2⌉, 4C] to dx [B, H, W, C], all of which is written.</summary>
    public static void MergeBackward(float* dy, int batch, int height, int width, int channels, float* dx)
    {
        MergeBody body = new() { Map = dx, Merged = dy, Height = height, Width = width, Channels = channels, Forward = false };
        Workers.Current.For(batch * body.MergedRows, ref body);
    }

    /// <summary>One row of patches of one picture.</summary>
    private struct EmbedBody : ILoopBody
    {
        public float* Planes;
        public float* Patches;
        public int Channels;
        public int Height;
        public int Width;
        public int Patch;
        public bool Forward;

        public readonly int PatchRows => (Height + Patch - 1) / Patch;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(EmbedBody), 2.0 * pieces / PatchRows * Channels * Height * Width);

        public readonly void Run(int index, int worker)
        {
            int columns = (Width + Patch - 1) / Patch, patchLength = Channels * Patch * Patch;
            int picture = index / PatchRows, top = index % PatchRows * Patch;
            float* patches = Patches + (long)index * columns * patchLength;
            for (int c = 0; c < Channels; c++)
                for (int ky = 0; ky < Patch; ky++, patches += Patch)
                {
                    float* line = Planes + (((long)picture * Channels + c) * Height + top + ky) * Width;
                    bool inside = top + ky < Height;
                    if (Forward) CutLine(inside ? line : null, patches, patchLength);
                    else if (inside) JoinLine(patches, line, patchLength);
                }
        }

        /// <summary>Deals out one line of pixels (null: zeros) to the patches of the row.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void CutLine(float* line, float* patches, int patchLength)
        {
            int pixels = line == null ? 0 : Width, x = 0;
            if (Patch == 4)
            {
                for (; x + 4 <= pixels; x += 4, patches += patchLength) Vector128.Load(line + x).Store(patches);
            }
            for (; x < Width; x += Patch, patches += patchLength)
                for (int kx = 0; kx < Patch; kx++) patches[kx] = x + kx < pixels ? line[x + kx] : 0f;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void JoinLine(float* patches, float* line, int patchLength)
        {
            int x = 0;
            if (Patch == 4)
            {
                for (; x + 4 <= Width; x += 4, patches += patchLength) Vector128.Load(patches).Store(line + x);
            }
            for (; x < Width; x += Patch, patches += patchLength)
                for (int kx = 0; kx < Patch && x + kx < Width; kx++) line[x + kx] = patches[kx];
        }
    }

    /// <summary>One row of merged tokens of one map.</summary>
    private struct MergeBody : ILoopBody
    {
        public float* Map;
        public float* Merged;
        public int Height;
        public int Width;
        public int Channels;
        public bool Forward;

        public readonly int MergedRows => (Height + 1) / 2;

        public readonly KernelWork Describe(int pieces) =>
            KernelWork.Moving(typeof(MergeBody), 2.0 * pieces / MergedRows * Channels * Height * Width);

        public readonly void Run(int index, int worker)
        {
            int columns = (Width + 1) / 2, sample = index / MergedRows, top = index % MergedRows * 2;
            uint bytes = (uint)Channels * sizeof(float);
            float* merged = Merged + (long)index * columns * 4 * Channels;
            for (int left = 0; left < Width; left += 2)
                for (int neighbour = 0; neighbour < 4; neighbour++, merged += Channels)
                {
                    int row = top + (neighbour & 1), column = left + (neighbour >> 1);
                    float* token = Map + (((long)sample * Height + row) * Width + column) * Channels;
                    bool inside = row < Height && column < Width;
                    if (Forward && inside) Unsafe.CopyBlockUnaligned(merged, token, bytes);
                    else if (Forward) Unsafe.InitBlockUnaligned(merged, 0, bytes);
                    else if (inside) Unsafe.CopyBlockUnaligned(token, merged, bytes);
                }
        }
    }
}
