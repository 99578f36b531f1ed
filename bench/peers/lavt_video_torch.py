"""LAVT's video model in PyTorch, the peer of `--model lavt_video`; what it shares with the picture models is in lavt_torch.py.

Of the fusion variants there are the plain one and the journal paper's, --sep_t_pwam with --w_* and --mm_*, for these are what is
measured. Maps stay (batch, frames, rows, columns, channels) but around convolutions over frames, which run channels first: that is
PyTorch's fastest way on a CPU, as are the norms behind them.
"""
import argparse

import torch
from torch import nn
from torch.nn import functional as F

import lavt_torch as lavt

FRAMES = 8  # of a window
KERNELS = ("conv3d_kernel_size_t", "3-1-1"), ("conv3d_kernel_size_s", "1-1-1")
SWITCHES = "sep_t_pwam", "w_3", "w_3x3", "w_t3x3_s1x1", "mm_3", "mm_3x3", "mm_t3x3_s1x1", "use_checkpoint"
OTHER_VARIANTS = "--t_pwam", "--ts_pwam", "--seq_t", "--sep_seq", "--sep_t_pwam_inner", "--sept_"
DROP_PATH = {"tiny": 0.1, "small": 0.2, "base": 0.3}


def has(command):
    """Whether the model of a command line is here."""
    return not any(word.startswith(OTHER_VARIANTS) for word in command.split())


def options(command=""):
    """The options of a command line that decide a video model's shape."""
    parser = argparse.ArgumentParser()
    for name in SWITCHES:
        parser.add_argument(f"--{name}", action="store_true")
    for name, default in KERNELS:
        parser.add_argument(f"--{name}", default=default)
    parser.add_argument("--num_frames", type=int, default=FRAMES)
    video, rest = parser.parse_known_args(command.replace("--model lavt_video", "").split())
    opt = lavt.options(" ".join(rest))
    return argparse.Namespace(**{**vars(opt), **vars(video), "model": "lavt_video"})


# ------------------------------------------------------------------------------------------------------------------------- Swin
class PatchEmbed(nn.Module):
    """1x4x4 patches of clips (B, T, 3, H, W), zero-padded at the right and bottom, as tokens (B, T, rows, columns, C)."""

    def __init__(self, width, patch=4):
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv3d(3, width, (1, patch, patch), (1, patch, patch))
        self.norm = nn.LayerNorm(width)

    def forward(self, clips):
        rows, columns = clips.shape[-2:]
        clips = F.pad(clips, (0, -columns % self.patch, 0, -rows % self.patch))
        frames = F.conv2d(clips.flatten(0, 1), self.proj.weight.squeeze(2), self.proj.bias, self.patch)
        return self.norm(frames.permute(0, 2, 3, 1)).unflatten(0, clips.shape[:2])


def to_windows(x, window):
    """(B, T, rows, columns, C) -> (windows, N, C)."""
    (t, h, w), (batch, frames, rows, columns, width) = window, x.shape
    x = x.view(batch, frames // t, t, rows // h, h, columns // w, w, width)
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(-1, t * h * w, width)


def from_windows(x, window, shape):
    (t, h, w), (batch, frames, rows, columns) = window, shape
    x = x.view(batch, frames // t, rows // h, columns // w, t, h, w, -1)
    return x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(batch, frames, rows, columns, -1)


def fit(extents, window, shift):
    """Windows are not larger than the map, and not shifted along an axis that they fill."""
    fitted = [(n, 0) if n <= w else (w, s) for n, w, s in zip(extents, window, shift)]
    return tuple(w for w, _ in fitted), tuple(s for _, s in fitted)


def shift_mask(padded, window, shift, like):
    """(windows, N, N): -100 between places that only the cyclic shift has made neighbours, else 0."""
    region = torch.zeros(1, 1, 1, 1, 1, dtype=torch.long, device=like.device)
    for axis, (extent, w, s) in enumerate(zip(padded, window, shift), 1):
        at = torch.arange(extent, device=like.device)
        band = (at >= extent - w).long() + (at >= extent - s).long() if s else torch.zeros_like(at)
        region = 3 * region + band.view([-1 if a == axis else 1 for a in range(5)])
    region = to_windows(region.expand(1, *padded, 1), window).squeeze(-1)
    return (region[:, None, :] != region[:, :, None]).to(like.dtype) * -100.0


class SwinBlock(nn.Module):
    """Window attention and MLP, both residual, on tokens (B, T, rows, columns, C)."""

    def __init__(self, width, heads, window, shift, drop=0.0):
        super().__init__()
        self.window, self.shift, self.drop = window, shift, drop
        self.norm1 = nn.LayerNorm(width)
        self.attn = lavt.WindowAttention(width, window, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = lavt.Mlp(width)

    def forward(self, x, masks=None):
        """`masks` keeps the masks of a map's windows for the next block."""
        extents = x.shape[1:4]
        window, shift = fit(extents, self.window, self.shift)
        y = F.pad(self.norm1(x), self._padding(extents, window))
        padded, mask = y.shape[1:4], None
        if any(shift):
            y = torch.roll(y, [-s for s in shift], (1, 2, 3))
            masks = {} if masks is None else masks
            key = (tuple(padded), window, shift)
            if key not in masks:
                masks[key] = shift_mask(padded, window, shift, y)
            mask = masks[key]
        y = from_windows(self.attn(to_windows(y, window), mask), window, (len(x), *padded))
        if any(shift):
            y = torch.roll(y, shift, (1, 2, 3))
        y = y[:, :extents[0], :extents[1], :extents[2]]
        x = x + self._drop_path(y)
        return x + self._drop_path(self.mlp(self.norm2(x)))

    @staticmethod
    def _padding(extents, window):
        return [0, 0] + [n for extent, w in zip(reversed(extents), reversed(window)) for n in (0, -extent % w)]

    def _drop_path(self, y):
        return lavt.drop_path(y.flatten(1, 3), self.drop, self.training).view(y.shape) if self.drop and self.training else y


class PatchMerging(lavt.PatchMerging):
    """Each 2x2 neighbours of a frame become one token of twice the width."""

    def forward(self, x):
        batch, frames, rows, columns, width = x.shape
        y = super().forward(x.reshape(-1, rows * columns, width), rows, columns)
        return y.view(batch, frames, (rows + 1) // 2, (columns + 1) // 2, -1)


# ------------------------------------------------------------------------------------------------------------------------- PWAM
class Convolution(nn.Module):
    """A convolution over maps (B, C, T, rows, columns) by its weights; with kernels of one a matrix product over tokens."""

    def __init__(self, width, kernel, axes=3):
        super().__init__()
        kernel = tuple(kernel)
        conv = nn.Conv3d(width, width, kernel) if axes == 3 else nn.Conv1d(width, width, 1)
        self.weight, self.bias, self.kernel = conv.weight, conv.bias, kernel

    def forward(self, x):
        if self.kernel == (1, 1, 1):
            return torch.baddbmm(self.bias[:, None], self.weight.flatten(1).expand(len(x), -1, -1), x.flatten(2)).view(x.shape)
        return F.conv3d(x, self.weight, self.bias, padding=[n // 2 for n in self.kernel])


def kernel_of(text):
    return tuple(int(n) for n in text.split("-"))


class VideoPwam(nn.Module):
    """Pixel-word attention on maps (B, T, rows, columns, C), language (B, D, L), mask (B, L, 1)."""

    def __init__(self, width, opt, language_width=lavt.LANGUAGE_WIDTH, heads=1):
        super().__init__()
        self.heads, self.width = heads, width
        time, space, point, frame = kernel_of(opt.conv3d_kernel_size_t), kernel_of(opt.conv3d_kernel_size_s), (1, 1, 1), (1, 3, 3)
        gelu, norm = nn.GELU(), nn.InstanceNorm3d(width)

        def make(name, kernel, end, axes=3):
            self.add_module(name, nn.Sequential(Convolution(width, kernel, axes), end))
            return name

        def behind(name, wide, single, both, end):
            if both:
                return [make(f"{name}_t", time, end), make(f"{name}_s", point, end)]
            return [make(name, time if wide else frame if single else point, end, 3 if wide or single else 1)]

        self.visual = [make("temporal_vis_project", time, gelu), make("spatial_vis_project", space, gelu)]
        self.query = [make("f_query_t", time, norm), make("f_query_s", space, norm)]
        self.f_key = nn.Sequential(lavt.PointwiseConv(language_width, width))
        self.f_value = nn.Sequential(lavt.PointwiseConv(language_width, width))
        self.output = behind("W", opt.w_3x3, opt.w_3, opt.w_t3x3_s1x1, norm)
        self.projection = behind("project_mm", opt.mm_3x3, opt.mm_3, opt.mm_t3x3_s1x1, gelu)

    def _sum(self, names, x):
        total = getattr(self, names[0])(x)
        for name in names[1:]:
            total = total + getattr(self, name)(x)
        return total

    def forward(self, x, language, mask):
        mask, words = mask.to(x.dtype), language.transpose(1, 2)
        maps = x.permute(0, 4, 1, 2, 3).contiguous()
        query = self._sum(self.query, maps).flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)
        key, value = ((f(words) * mask).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.f_key, self.f_value))
        scores = query @ key.transpose(-2, -1) * self.width ** -0.5 + (1e4 * mask - 1e4).transpose(1, 2)[:, None]
        attended = (value.transpose(-2, -1) @ scores.softmax(-1).transpose(-2, -1)).reshape(maps.shape)
        fused = self._sum(self.visual, maps) * self._sum(self.output, attended)
        return self._sum(self.projection, fused).permute(0, 2, 3, 4, 1).contiguous()


class PlainPwam(lavt.Pwam):
    """The picture models' PWAM over the tokens of all frames."""

    def forward(self, x, language, mask):
        return super().forward(x.flatten(1, 3), language, mask).view(x.shape)


# --------------------------------------------------------------------------------------------------------------------- backbone
class Stage(nn.Module):
    """Swin blocks, PWAM, language gate, and (but for the last stage) patch merging."""

    def __init__(self, width, depth, heads, window, drops, last, opt):
        super().__init__()
        shifts = (0, 0, 0), tuple(n // 2 for n in window)
        self.blocks = nn.ModuleList(SwinBlock(width, heads, window, shifts[i % 2], drops[i]) for i in range(depth))
        self.fusion = VideoPwam(width, opt) if opt.sep_t_pwam else PlainPwam(width)
        if not (last and opt.use_checkpoint):
            self.res_gate = nn.Sequential(nn.Linear(width, width, bias=False), nn.ReLU(), nn.Linear(width, width, bias=False), nn.Tanh())
        if not last:
            self.downsample = PatchMerging(width)

    def forward(self, x, language, mask):
        """What the decoder gets and the next stage's input."""
        masks = {}
        for block in self.blocks:
            x = block(x, masks)
        fused = self.fusion(x, language, mask)
        return fused, self.downsample(x + self.res_gate(fused) * fused) if hasattr(self, "downsample") else None


class Backbone(nn.Module):
    """Video Swin with a PWAM per stage: clips (B, T, 3, H, W), language, mask -> maps (B*T, C, rows, columns), fine to coarse."""

    emitted = (0, 1, 2, 3)

    def __init__(self, width, depths, heads, window, opt, drop):
        super().__init__()
        self.patch_embed = PatchEmbed(width)
        drops = torch.linspace(0, drop, sum(depths)).tolist()
        self.layers = nn.ModuleList(
            Stage(width << i, depths[i], heads[i], window, drops[sum(depths[:i]):], i == 3, opt) for i in range(4))
        for i in self.emitted:
            self.add_module(f"norm{i}", nn.LayerNorm(width << i))

    def forward(self, clips, language, mask):
        x, maps = self.patch_embed(clips), []
        for i, stage in enumerate(self.layers):
            out, x = stage(x, language, mask)
            maps.append(getattr(self, f"norm{i}")(out).flatten(0, 1).permute(0, 3, 1, 2))
        return maps


def build(opt):
    """The model of `options(command line)`, with PyTorch's own random weights."""
    width, depths, heads = lavt.SWIN_SIZES[opt.swin_type]
    side = 12 if opt.window12 else 7
    backbone = Backbone(width, depths, heads, (FRAMES, side, side), opt, DROP_PATH[opt.swin_type])
    return lavt.Lavt(backbone, lavt.MaskDecoder(8 * width, opt), lavt.Bert())
