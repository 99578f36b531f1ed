"""From a golden file's metadata alone to its numbers, by our PyTorch modules: the same code checks files and writes new ones.

How the metadata is to be read, as found by reproducing the files:

Modules
- Input `x` of a module is uniform("input.x") in [-1, 1); for the losses `input.logits` is in [-3, 3). The gradient fed into the
  output is uniform("output.0.gradient"); a loss is differentiated as it is.
- PWAM: the first sample's words are all valid, the second's only the first four (`l_mask` has no gradient and is not drawn). Files
  that say `valid_words` give the counts. The module is in evaluation mode, which matters for BN.
- BERT: ids are integers("input.ids", ..., 0, vocab), not multiplied by the mask; `valid_words` gives the mask; dropout is off. The
  word embedding of id 0 (padding) gets no gradient.
- Decoder: `options` seg_last means --interpolate_before_seg and --seg_last together; interpolate, lazy one option each; eval and
  train none. `mode` tells whether the statistics are those of the batch, and only then are the buffers stored (afterwards).
- A target "zeros but [b,r0:r1,c0:c1]=1 and ..." follows Python's slices; "integers(input.target, 0..1)" is integers(..., 0, 2).

Full models
- Strides start at 0: logits[..., ::s, ::s] and stage[:, ::8, ::r, ::r] with r = 4 if rows and columns both exceed 16, else 2; text
  features [:, :, ::16]. `stageK` is what backbone.norm(K−1) gives, so --lazy_pred has stage2, stage3 and stage4 only.
- `foreground_pixels`, `logits_mean` and `logits_std` are of the whole logits, the deviation with the n − 1 in its denominator.
- `lavt_one`: ids are multiplied by the mask; `lavt`: input.language is not.

Training
- Step S: training mode, gradients of the loss of the resized logits, their norm over all parameters, one step of AdamW whose
  parameters decay but for the backbone's norm and bias-table ones; its rate is lr × (1 − S/total)^0.9. `final_logits`
  are those of the last step's inputs in evaluation mode after the last update, with stride 4.
- `adamw`: row S of `parameter` is uniform("parameter", (64,)) after step S, in float32 arithmetic. Which of the two files is
  AMSGrad's is told by its name alone.
"""
import json
import re

import numpy as np
import torch
from torch import nn

import lavt_torch as lavt
import lavt_video_torch as video
from golden_format import det, fill, tensor
from losses_torch import LOSSES

DECODER_OPTIONS = {
    "interpolate": "--interpolate_before_seg", "lazy": "--lazy_pred", "seg_last": "--interpolate_before_seg --seg_last"}


def uniform(name, shape, dtype, bound=1.0):
    return tensor(det.uniform(name, tuple(shape), -bound, bound), dtype)


def word_mask(counts, words):
    """(B, words) of 0 and 1 whose first entries are 1; counts as "9,5"."""
    mask = torch.zeros(len(counts.split(",")), words, dtype=torch.long)
    for row, count in zip(mask, counts.split(",")):
        row[:int(count)] = 1
    return mask


def target_of(text, shape):
    """Class indices by a `target` sentence of the metadata."""
    if text.startswith("integers"):
        return torch.from_numpy(det.integers("input.target", shape, 0, 2))
    target = torch.zeros(shape, dtype=torch.long)
    for sample, r0, r1, c0, c1 in re.findall(r"\[(\d+),(\d*):(\d*),(\d*):(\d*)\]=1", text):
        rows, columns = (slice(int(a) if a else None, int(b) if b else None) for a, b in ((r0, r1), (c0, c1)))
        target[int(sample), rows, columns] = 1
    return target


# ---------------------------------------------------------------------------------------------------------------------- modules
def make_module(meta):
    """The module of a `modules/` file (not the losses), and its inputs without gradients, by name."""
    kind, number = meta["module"], lambda key: int(meta[key])
    shapes = json.loads(meta["inputs"])
    if kind == "Swin block, 2-D":
        module = lavt.SwinBlock(number("dim"), number("heads"), number("window"), number("shift"))
        return module, {"rows": number("height"), "columns": number("width")}
    if kind == "Swin block, 3-D":
        window, shift = (tuple(int(n) for n in meta[key].split(",")) for key in ("window", "shift"))
        return video.SwinBlock(number("dim"), number("heads"), window, shift), {}
    if kind == "patch embedding 3-D":
        return video.PatchEmbed(number("embed_dim")), {}
    if kind == "patch merging 3-D":
        return video.PatchMerging(number("dim")), {}
    if kind == "patch embedding":
        return lavt.PatchEmbed(number("embed_dim"), number("patch")), {}
    if kind == "patch merging":
        return lavt.PatchMerging(number("dim")), {"rows": number("height"), "columns": number("width")}
    if kind.startswith("PWAM") or kind == "video PWAM":
        if kind == "video PWAM":
            opt = video.options(meta["flags"])
            module = video.VideoPwam(number("dim"), opt, number("language_dim"), int((opt.mha or "1").split("-")[0]))
        else:
            opt = lavt.options(kind.partition(" with ")[2])
            width, language_width = shapes["x"][-1], shapes["l"][1]
            module = lavt.Pwam(width, language_width, int(meta.get("heads", 1)), opt.att_norm_layer_type, opt.fuse)
        batch, words, _ = shapes["l_mask"]
        counts = meta.get("valid_words", ",".join([str(words)] + ["4"] * (batch - 1)))
        return module.eval(), {"mask": word_mask(counts, words)[:, :, None]}
    if kind == "mask decoder":
        module = lavt.MaskDecoder(number("c4_dims"), lavt.options(DECODER_OPTIONS.get(meta["options"], "")))
        return module.train(meta["mode"].startswith("training")), {}
    if kind.startswith("BERT"):
        module = lavt.Bert(*(number(key) for key in ("vocab", "hidden", "layers", "heads", "intermediate", "positions")))
        ids = torch.from_numpy(det.integers("input.ids", tuple(shapes["ids"]), 0, number("vocab")))
        return module.eval(), {"ids": ids, "mask": word_mask(meta["valid_words"], shapes["ids"][1])}
    raise ValueError(f"no picture module is called '{kind}'")


ARGUMENTS = {"l": "language"}  # names in the files that are not our arguments' names


def evaluate_module(meta, dtype):
    """Outputs, gradients and (in training mode, for the decoder) buffers of one module."""
    if meta["module"].startswith("--loss"):
        return evaluate_loss(meta, dtype)
    module, others = make_module(meta)
    fill(module, dtype)
    shapes = json.loads(meta["inputs"])
    inputs = {name: uniform(f"input.{name}", shape, dtype).requires_grad_()
              for name, shape in shapes.items() if name not in ("l_mask", "ids", "attention_mask")}
    if meta["module"] == "mask decoder":
        output = module(*(inputs[name] for name in sorted(inputs)))
    else:
        given = inputs if not isinstance(module, video.PatchEmbed) else {"x": inputs["x"].transpose(1, 2)}
        output = module(**{ARGUMENTS.get(name, meta_name(module, name)): x for name, x in given.items()}, **others)
    if isinstance(module, video.PatchEmbed):
        output = output.permute(0, 4, 1, 2, 3)
    elif isinstance(module, video.VideoPwam):
        output = output.flatten(1, 3)
    output.backward(uniform("output.0.gradient", output.shape, dtype))
    results = {"output.0": output}
    results |= {f"gradient.{name}": x.grad for name, x in inputs.items()}
    results |= {f"gradient.parameter.{name}": p.grad for name, p in module.named_parameters() if p.grad is not None}
    if meta.get("mode", "").startswith("training"):
        results |= {f"buffer.{name}": b for name, b in module.named_buffers()}
    return {name: np.atleast_1d(value.detach().numpy()) for name, value in results.items()}


def meta_name(module, name):
    return {lavt.PatchEmbed: "image", video.PatchEmbed: "clips"}.get(type(module), name)


def evaluate_loss(meta, dtype):
    shape = json.loads(meta["inputs"])["logits"]
    logits = uniform("input.logits", shape, dtype, 3.0).requires_grad_()
    loss = LOSSES[meta["module"].split()[1]](logits, target_of(meta["target"], (shape[0], *shape[2:])))
    loss.backward()
    return {"output.0": loss.detach().numpy().reshape(1), "gradient.logits": logits.grad.numpy()}


# ------------------------------------------------------------------------------------------------------------------ full models
def evaluate_full(meta, dtype):
    """Logits and stages of a whole model in evaluation mode."""
    batch, height, width, words = (int(meta[key]) for key in ("batch", "height", "width", "words"))
    is_video, frames = "lavt_video" in meta["command"], [int(meta["frames"])] if "frames" in meta else []
    model = fill(video.build(video.options(meta["command"])) if is_video else lavt.build(lavt.options(meta["command"])), dtype).eval()
    mask = word_mask(meta["valid_words"], words)
    image = uniform("input.image", (batch, *frames, 3, height, width), dtype, 2.0)
    if hasattr(model, "text_encoder"):
        text = torch.from_numpy(det.integers("input.ids", (batch, words), 0, 30522)) * mask
    else:
        text, mask = uniform("input.language", (batch, lavt.LANGUAGE_WIDTH, words), dtype), mask[:, :, None]
    with torch.no_grad():
        features, maps = model.stages(image, text, mask)
        logits = lavt.resize(model.classifier(*maps), image.shape[-2:])
    results = {} if features is None else {"text_features": features[:, :, ::16]}
    for index, stage in zip(model.backbone.emitted, maps):
        step = 4 if min(stage.shape[-2:]) > 16 else 2
        results[f"stage{index + 1}"] = stage[:, ::8, ::step, ::step]
    step = int(meta["logits_stride"])
    results["logits"] = logits[:, :, ::step, ::step]
    results["foreground_pixels"] = logits.argmax(1).sum((1, 2))
    results["logits_mean"] = logits.mean((2, 3))
    results["logits_std"] = logits.std((2, 3))
    return {name: value.numpy() for name, value in results.items()}


# --------------------------------------------------------------------------------------------------------------------- training
class SmallLavt(lavt.Lavt):
    """The model of the trajectories: "LAVT, embed_dim 32, depths 2,2,2,2, heads 1,2,4,8, window 7, no drop path"."""

    def __init__(self, description):
        numbers = dict(re.findall(r"(embed_dim|depths|heads|window) ([\d,]+)", description.replace("PWAM heads", "")))
        depths, heads = ([int(n) for n in numbers[key].strip(",").split(",")] for key in ("depths", "heads"))
        width, window = (int(numbers[key].strip(",")) for key in ("embed_dim", "window"))
        opt = lavt.options()
        super().__init__(lavt.Backbone(width, depths, heads, window, opt, drop=0.0), lavt.MaskDecoder(8 * width, opt))


def parameter_groups(model, weight_decay):
    """The published groups of a model without BERT: norms and bias tables of the backbone do not decay."""
    def stays(name):
        return any(part in name for part in ("norm", "absolute_pos_embed", "relative_position_bias_table"))

    backbone = list(model.backbone.named_parameters())
    return [{"params": [p for name, p in backbone if stays(name)], "weight_decay": 0.0},
            {"params": [p for name, p in backbone if not stays(name)], "weight_decay": weight_decay},
            {"params": list(model.classifier.parameters()), "weight_decay": weight_decay}]


def evaluate_trajectory(meta, dtype):
    """Losses, learning rates, gradient norms, and the parameters' mean absolute values after the last of a few AdamW steps."""
    steps, total, batch, size = (int(meta[key]) for key in ("steps", "total_steps", "batch", "image"))
    rate = float(meta["lr"])
    model = fill(SmallLavt(meta["model"]), dtype)
    optimizer = torch.optim.AdamW(parameter_groups(model, float(meta["weight_decay"])), lr=rate, amsgrad=meta["amsgrad"] == "True")
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 - step / total) ** 0.9)
    mask = word_mask("12,5", 20)[:, :, None]
    results = {"loss": [], "learning_rate": [], "gradient_norm": []}
    for step in range(steps):
        image = uniform(f"step.{step}.image", (batch, 3, size, size), dtype, 2.0)
        language = uniform(f"step.{step}.language", (batch, lavt.LANGUAGE_WIDTH, 20), dtype)
        target = torch.zeros(batch, size, size, dtype=torch.long)
        target[0, 10 + step:50, 20:70] = 1
        target[1, 40:90, 5:60 - step] = 1
        loss = LOSSES[meta["loss"]](model.train()(image, language, mask), target)
        optimizer.zero_grad()
        loss.backward()
        norms = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None])
        results["loss"].append(loss.item())
        results["learning_rate"].append(schedule.get_last_lr()[0])
        results["gradient_norm"].append(norms.norm().item())
        optimizer.step()
        schedule.step()
    results["parameter_abs_mean"] = [p.detach().abs().mean().item() for p in model.parameters()]
    with torch.no_grad():
        logits = model.eval()(image, language, mask)[:, :, ::4, ::4]
    return {name: np.array(value) for name, value in results.items()} | {"final_logits": logits.numpy()}


def evaluate_adamw(meta, dtype, amsgrad):
    """The optimizer alone: a parameter of 64 values under eight given gradients."""
    parameter = nn.Parameter(uniform("parameter", (64,), dtype))
    betas = tuple(float(beta) for beta in meta["betas"].split(","))
    optimizer = torch.optim.AdamW([parameter], lr=float(meta["lr"]), betas=betas, eps=float(meta["eps"]),
                                  weight_decay=float(meta["weight_decay"]), amsgrad=amsgrad)
    rows = []
    for step in range(8):
        parameter.grad = uniform(f"gradient.{step}", (64,), dtype) * 10.0 ** (step % 3 - 1)
        optimizer.step()
        rows.append(parameter.detach().clone())
    return {"parameter": torch.stack(rows).numpy()}


def evaluate(path, meta, dtype):
    """The tensors of the golden file `path` (folder/name decides what it is), computed in `dtype` from its metadata."""
    folder, name = path.parent.name, path.stem
    if folder == "modules":
        return evaluate_module(meta, dtype)
    if folder == "full":
        return evaluate_full(meta, dtype)
    if name.startswith("adamw"):
        return evaluate_adamw(meta, dtype, "amsgrad" in name)
    return evaluate_trajectory(meta, dtype)
