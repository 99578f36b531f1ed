"""LAVT's picture models in PyTorch, written for comparisons: the peer that our engine is measured and checked against.

`build(options("--model lavt_one --swin_type base --window12"))` makes the model of a command line. State-dict keys, shapes and
order are those of published checkpoints, and golden_check.py holds the numbers against the golden files.

Tokens stay (batch, rows*columns, channels) from patch embedding to decoder: 1x1 convolutions keep their Conv1d weights but run as
matrix products over tokens. That is as fast as the published Conv1d on permuted tensors, and it avoids the wrong gradients that
PyTorch 1.13 as packaged by Debian computes for 1x1 Conv1d through oneDNN.
"""
import argparse
import math

import torch
from torch import nn
from torch.nn import functional as F

SWIN_SIZES = {  # --swin_type: embedding width, blocks per stage, heads per stage
    "tiny": (96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "small": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "base": (128, (2, 2, 18, 2), (4, 8, 16, 32)),
    "large": (192, (2, 2, 18, 2), (6, 12, 24, 48)),
}
LANGUAGE_WIDTH = 768


def options(command=""):
    """The options of a command line that decide a picture model's shape; the first choice is the default."""
    parser = argparse.ArgumentParser()
    choices = {"model": ("lavt", "lavt_one"), "swin_type": ("base", "tiny", "small", "large"), "fuse": ("default", "simple"),
               "att_norm_layer_type": ("IN", "BN", "LN", "none"), "version": ("default", "no_gate", "none"),
               "lg_act_layer": ("tanh", "sigmoid")}
    for name, values in choices.items():
        parser.add_argument(f"--{name}", default=values[0], choices=values)
    for name in ("window12", "hs", "lazy_pred", "interpolate_before_seg", "seg_last"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--pretrained_swin_weights", default="", help="only for its name, which may tell the window")
    parser.add_argument("--mha", default="", help="PWAM heads of the four stages, as a-b-c-d")
    parser.add_argument("--fusion_drop", type=float, default=0.0)
    return parser.parse_args(command.split())


# ------------------------------------------------------------------------------------------------------------------------- Swin
class PatchEmbed(nn.Module):
    """4x4 patches of a picture, zero-padded at the right and bottom, as normalised tokens in a map (B, C, rows, columns)."""

    def __init__(self, width, patch=4):
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv2d(3, width, patch, patch)
        self.norm = nn.LayerNorm(width)

    def forward(self, image):
        rows, columns = image.shape[-2:]
        image = F.pad(image, (0, -columns % self.patch, 0, -rows % self.patch))
        return self.norm(self.proj(image).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def relative_position_index(window):
    """(N, N) for windows of N places: row of the bias table for each pair of places; window has the extents of any number of axes."""
    place = torch.stack(torch.meshgrid(*(torch.arange(n) for n in window), indexing="ij")).flatten(1)
    index = 0
    for difference, extent in zip(place[:, :, None] - place[:, None, :], window):
        index = index * (2 * extent - 1) + difference + extent - 1
    return index


class WindowAttention(nn.Module):
    """Self-attention among the tokens (windows, N, C) of each window, with a learned bias per relative position; smaller windows of
    clips take the first rows and columns of the index."""

    def __init__(self, width, window, heads):
        super().__init__()
        self.heads = heads
        rows = math.prod(2 * extent - 1 for extent in window)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(rows, heads))
        self.register_buffer("relative_position_index", relative_position_index(window))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x, mask):
        windows, places, width = x.shape
        q, k, v = self.qkv(x).view(windows, places, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = (q * (width // self.heads) ** -0.5) @ k.transpose(-2, -1)
        bias = self.relative_position_bias_table[self.relative_position_index[:places, :places].reshape(-1)]
        scores += bias.view(places, places, self.heads).permute(2, 0, 1)  # in place: what autograd keeps is the softmax
        if mask is not None:  # windows are batch-major, so the mask of one picture's windows repeats
            scores.view(-1, len(mask), self.heads, places, places).add_(mask[:, None])
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(windows, places, width))


def to_windows(x, window):
    """(B, rows, columns, C) -> (windows, window², C)."""
    batch, rows, columns, width = x.shape
    x = x.view(batch, rows // window, window, columns // window, window, width)
    return x.transpose(2, 3).reshape(-1, window * window, width)


def from_windows(x, window, batch, rows, columns):
    x = x.view(batch, rows // window, columns // window, window, window, -1)
    return x.transpose(2, 3).reshape(batch, rows, columns, -1)


def shift_mask(rows, columns, window, shift, like):
    """(windows, window², window²): -100 between places that only the cyclic shift has made neighbours, else 0."""
    def bands(size):
        at = torch.arange(size, device=like.device)
        return (at >= size - window).long() + (at >= size - shift).long()

    region = (3 * bands(rows)[:, None] + bands(columns)).view(1, rows, columns, 1)
    region = to_windows(region, window).squeeze(-1)
    return (region[:, None, :] != region[:, :, None]).to(like.dtype) * -100.0


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


def drop_path(x, rate, training):
    """Stochastic depth: whole samples of a residual branch are left out, the others scaled up."""
    if rate == 0.0 or not training:
        return x
    keep = torch.empty(len(x), 1, 1, dtype=x.dtype, device=x.device).bernoulli_(1.0 - rate)
    return x * keep.div_(1.0 - rate)


class SwinBlock(nn.Module):
    """Window attention and MLP, both residual, on tokens (B, rows*columns, C)."""

    def __init__(self, width, heads, window, shift, drop=0.0):
        super().__init__()
        self.window, self.shift, self.drop = window, shift, drop
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, (window, window), heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x, rows, columns, mask=None):
        batch, _, width = x.shape
        y = self.norm1(x).view(batch, rows, columns, width)
        y = F.pad(y, (0, 0, 0, -columns % self.window, 0, -rows % self.window))  # padding takes part in the attention
        padded = y.shape[1:3]
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
            mask = mask if mask is not None else shift_mask(*padded, self.window, self.shift, y)
        y = self.attn(to_windows(y, self.window), mask if self.shift else None)
        y = from_windows(y, self.window, batch, *padded)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        y = y[:, :rows, :columns].reshape(batch, rows * columns, width)
        x = x + drop_path(y, self.drop, self.training)
        return x + drop_path(self.mlp(self.norm2(x)), self.drop, self.training)


class PatchMerging(nn.Module):
    """Each 2x2 neighbours become one token of twice the width."""

    def __init__(self, width):
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, x, rows, columns):
        x = F.pad(x.view(len(x), rows, columns, -1), (0, 0, 0, columns % 2, 0, rows % 2))
        x = torch.cat([x[:, r::2, c::2] for r, c in ((0, 0), (1, 0), (0, 1), (1, 1))], -1)
        return self.reduction(self.norm(x.flatten(1, 2)))


# ------------------------------------------------------------------------------------------------------------------------- PWAM
class PointwiseConv(nn.Conv1d):
    """A 1x1 Conv1d by its weights, applied to tokens (B, N, C)."""

    def __init__(self, in_width, out_width):
        super().__init__(in_width, out_width, 1)

    def forward(self, tokens):
        return F.linear(tokens, self.weight.squeeze(-1), self.bias)


class NormalisedConv(nn.Sequential):
    """1x1 convolution, then the normalisation named by --att_norm_layer_type, on tokens."""

    NORMS = {"IN": nn.InstanceNorm1d, "BN": nn.BatchNorm1d, "LN": nn.LayerNorm, "none": nn.Identity}

    def __init__(self, width, norm):
        super().__init__(PointwiseConv(width, width), self.NORMS[norm](width))
        self.channels_first = norm in ("IN", "BN")

    def forward(self, tokens):
        y = self[0](tokens)
        return self[1](y.mT).mT if self.channels_first else self[1](y)


class WordAttention(nn.Module):
    """Each pixel's mixture of the words: tokens (B, N, C), words (B, L, D), mask (B, L, 1) -> (B, N, C)."""

    def __init__(self, width, language_width, heads, norm):
        super().__init__()
        self.heads = heads
        self.f_key = nn.Sequential(PointwiseConv(language_width, width))
        self.f_query = NormalisedConv(width, norm)
        self.f_value = nn.Sequential(PointwiseConv(language_width, width))
        self.W = NormalisedConv(width, norm)

    def forward(self, x, words, mask):
        tokens = self.f_query(x), self.f_key(words) * mask, self.f_value(words) * mask
        query, key, value = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in tokens)
        scores = query @ key.transpose(-2, -1) * x.shape[-1] ** -0.5  # of all channels, also with several heads
        scores = scores + (1e4 * mask - 1e4).transpose(1, 2)[:, None]
        return self.W((scores.softmax(-1) @ value).transpose(1, 2).flatten(2))


class MeanOfWords(nn.Module):
    """--fuse simple: one vector for the sentence instead of attention."""

    def __init__(self, width, language_width):
        super().__init__()
        self.project = nn.Sequential(nn.Linear(language_width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, x, words, mask):
        return self.project((words * mask).sum(1) / mask.sum(1))[:, None]


class Pwam(nn.Module):
    """Pixel-word attention: tokens (B, N, C), language (B, D, L), mask (B, L, 1) -> fused tokens (B, N, C)."""

    def __init__(self, width, language_width=LANGUAGE_WIDTH, heads=1, norm="IN", fuse="default", dropout=0.0):
        super().__init__()
        self.vis_project = nn.Sequential(PointwiseConv(width, width), nn.GELU(), nn.Dropout(dropout))
        self.image_lang_att = (MeanOfWords(width, language_width) if fuse == "simple"
                               else WordAttention(width, language_width, heads, norm))
        self.project_mm = nn.Sequential(PointwiseConv(width, width), nn.GELU(), nn.Dropout(dropout))

    def forward(self, x, language, mask):
        mask = mask.to(x.dtype)
        return self.project_mm(self.vis_project(x) * self.image_lang_att(x, language.transpose(1, 2), mask))


# --------------------------------------------------------------------------------------------------------------------- backbone
class Stage(nn.Module):
    """Swin blocks, PWAM, language gate, and (but for the last stage) patch merging."""

    def __init__(self, width, depth, heads, window, drops, pwam_heads, last, opt):
        super().__init__()
        self.window, self.opt = window, opt
        self.blocks = nn.ModuleList(SwinBlock(width, heads, window, window // 2 * (i % 2), drops[i]) for i in range(depth))
        self.fusion = Pwam(width, LANGUAGE_WIDTH, pwam_heads, opt.att_norm_layer_type, opt.fuse, opt.fusion_drop)
        if opt.version == "default":
            last_activation = nn.Tanh() if opt.lg_act_layer == "tanh" else nn.Sigmoid()
            self.res_gate = nn.Sequential(
                nn.Linear(width, width, bias=False), nn.ReLU(), nn.Linear(width, width, bias=False), last_activation)
            nn.init.zeros_(self.res_gate[0].weight)
            nn.init.zeros_(self.res_gate[2].weight)
        if not last:
            self.downsample = PatchMerging(width)

    def forward(self, x, rows, columns, language, mask):
        """Returns what the decoder gets and what the next stage continues with (before merging)."""
        window = self.window
        masked = shift_mask(rows + -rows % window, columns + -columns % window, window, window // 2, x)
        for block in self.blocks:
            x = block(x, rows, columns, masked)
        fused = self.fusion(x, language, mask)
        total = x
        if self.opt.version != "none":
            total = x + (self.res_gate(fused) * fused if self.opt.version == "default" else fused)
        return (total if self.opt.hs else x if self.opt.lazy_pred else fused), total


class Backbone(nn.Module):
    """Swin with a PWAM per stage: picture (B, 3, H, W), language, mask -> stage maps (B, C, rows, columns), fine to coarse."""

    def __init__(self, width, depths, heads, window, opt, drop=0.3):
        super().__init__()
        self.patch_embed = PatchEmbed(width)
        drops = torch.linspace(0, drop, sum(depths)).tolist()
        pwam_heads = [int(n) for n in opt.mha.split("-")] if opt.mha else [1, 1, 1, 1]
        self.layers = nn.ModuleList(
            Stage(width << i, depths[i], heads[i], window, drops[sum(depths[:i]):], pwam_heads[i], i == 3, opt)
            for i in range(4))
        self.emitted = (1, 2, 3) if opt.lazy_pred else (0, 1, 2, 3)
        for i in self.emitted:
            self.add_module(f"norm{i}", nn.LayerNorm(width << i))

    def forward(self, image, language, mask):
        x = self.patch_embed(image)
        (rows, columns), x, maps = x.shape[-2:], x.flatten(2).mT, []
        for i, stage in enumerate(self.layers):
            out, x = stage(x, rows, columns, language, mask)
            if i in self.emitted:
                out = getattr(self, f"norm{i}")(out)
                maps.append(out.transpose(1, 2).reshape(len(out), -1, rows, columns))
            if i < 3:
                x = stage.downsample(x, rows, columns)
                rows, columns = (rows + 1) // 2, (columns + 1) // 2
        return maps


# ---------------------------------------------------------------------------------------------------------------------- decoder
def resize(x, size):
    """Bilinear, corners aligned; on a CPU in float32, for PyTorch 1.13 takes five times as long in bf16."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    wide = x.float() if x.dtype is torch.bfloat16 and not x.is_cuda else x
    return F.interpolate(wide, tuple(size), mode="bilinear", align_corners=True).to(x.dtype)


class MaskDecoder(nn.Module):
    """Top-down convolutions over the stage maps, fine to coarse (x_c1), x_c2, x_c3, x_c4 -> 2 classes at the finest map's size.

    With --lazy_pred there is no x_c1 and no last step. --interpolate_before_seg adds a convolution at twice x_c1's size, and with
    --seg_last another one at four times that size (--seg_last alone owns the weights but never uses them).
    """

    def __init__(self, c4_width, opt):
        super().__init__()
        self.opt = opt
        width = c4_width // 2
        skips = {4: c4_width // 2, 3: c4_width // 4, 2: c4_width // 8}  # step: channels of the skip connection
        self.steps = (4, 3) if opt.lazy_pred else (4, 3, 2)
        for step in self.steps:
            above = c4_width if step == 4 else width
            self._add_convolution(f"conv1_{step}", f"bn1_{step}", above + skips[step], width)
            self._add_convolution(f"conv2_{step}", f"bn2_{step}", width, width)
        if opt.interpolate_before_seg:
            self._add_convolution("conv2_1", "bn1_1", width, width)
        if opt.seg_last:
            self._add_convolution("conv1_0", "bn1_0", width, width)
        self.conv1_1 = nn.Conv2d(width, 2, 1)

    def _add_convolution(self, conv, norm, in_width, out_width):
        self.add_module(conv, nn.Conv2d(in_width, out_width, 3, padding=1, bias=False))
        self.add_module(norm, nn.BatchNorm2d(out_width))

    def _convolve(self, conv, norm, x):
        return F.relu(getattr(self, norm)(getattr(self, conv)(x)), inplace=True)

    def forward(self, *maps):
        x, *skips = reversed(maps)
        for step, skip in zip(self.steps, skips):
            x = torch.cat([resize(x, skip.shape[-2:]), skip], 1)
            x = self._convolve(f"conv1_{step}", f"bn1_{step}", x)
            x = self._convolve(f"conv2_{step}", f"bn2_{step}", x)
        if self.opt.interpolate_before_seg:
            rows, columns = maps[0].shape[-2:]
            x = self._convolve("conv2_1", "bn1_1", resize(x, (2 * rows, 2 * columns)))
            if self.opt.seg_last:
                x = self._convolve("conv1_0", "bn1_0", resize(x, (4 * rows, 4 * columns)))
        return self.conv1_1(x)


# ------------------------------------------------------------------------------------------------------------------------- BERT
class BertEmbeddings(nn.Module):
    def __init__(self, vocabulary, width, positions, dropout):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width, padding_idx=0)  # no gradient for padding
        self.position_embeddings = nn.Embedding(positions, width)
        self.token_type_embeddings = nn.Embedding(2, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids):
        x = self.word_embeddings(ids) + self.position_embeddings.weight[:ids.shape[1]] + self.token_type_embeddings.weight[0]
        return self.dropout(self.LayerNorm(x))


class BertSelfAttention(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, bias):
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
        scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5 + bias
        return (self.dropout(scores.softmax(-1)) @ v).transpose(1, 2).flatten(2)


class BertResidual(nn.Module):
    """Linear layer and dropout added to the residual, then layer norm (BERT normalises after the sum)."""

    def __init__(self, in_width, width, dropout):
        super().__init__()
        self.dense = nn.Linear(in_width, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, residual):
        return self.LayerNorm(self.dropout(self.dense(x)) + residual)


class BertLayer(nn.Module):
    def __init__(self, width, heads, hidden, dropout):
        super().__init__()
        attention, residual = BertSelfAttention(width, heads, dropout), BertResidual(width, width, dropout)
        self.attention = nn.ModuleDict({"self": attention, "output": residual})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, hidden)})
        self.output = BertResidual(hidden, width, dropout)

    def forward(self, x, bias):
        x = self.attention["output"](self.attention["self"](x, bias), x)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)


class Bert(nn.Module):
    """BERT's encoder without its pooler: ids (B, L), mask (B, L) of 0 and 1 -> features (B, L, width)."""

    def __init__(self, vocabulary=30522, width=LANGUAGE_WIDTH, layers=12, heads=12, hidden=3072, positions=512, dropout=0.1):
        super().__init__()
        self.embeddings = BertEmbeddings(vocabulary, width, positions, dropout)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(BertLayer(width, heads, hidden, dropout) for _ in range(layers))})

    def forward(self, ids, mask):
        x = self.embeddings(ids)
        bias = (1.0 - mask.to(x.dtype))[:, None, None] * -10000.0
        for layer in self.encoder["layer"]:
            x = layer(x, bias)
        return x


# ----------------------------------------------------------------------------------------------------------------------- models
class Lavt(nn.Module):
    """Picture (B, 3, H, W) and sentence -> logits (B, 2, H, W); class 1 is the object.

    `lavt`: the sentence is language features (B, 768, L) and a mask (B, L, 1). `lavt_one`: ids (B, L) and a mask (B, L).
    """

    def __init__(self, backbone, classifier, text_encoder=None):
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        if text_encoder is not None:
            self.text_encoder = text_encoder

    def stages(self, image, text, mask):
        """The text features (None for `lavt`) and the maps that the decoder gets."""
        if not hasattr(self, "text_encoder"):
            return None, self.backbone(image, text, mask)
        features = self.text_encoder(text, mask)
        return features, self.backbone(image, features.transpose(1, 2), mask[:, :, None])

    def forward(self, image, text, mask):
        return resize(self.classifier(*self.stages(image, text, mask)[1]), image.shape[-2:])


def build(opt):
    """The model of `options(command line)`, with PyTorch's own random weights."""
    width, depths, heads = SWIN_SIZES[opt.swin_type]
    window = 12 if opt.window12 or "window12" in opt.pretrained_swin_weights else 7
    backbone = Backbone(width, depths, heads, window, opt)
    return Lavt(backbone, MaskDecoder(8 * width, opt), Bert() if opt.model == "lavt_one" else None)
