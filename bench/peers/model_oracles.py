"""Further golden cases of modules, whole models and training: random metadata, whose numbers golden_cases.py computes.

A case is (folder/name, metadata). The metadata has the keys and wording of the golden files; PWAM files also say `valid_words`.
"""
import json
import pathlib

import torch

from golden_cases import DECODER_OPTIONS, SmallLavt, evaluate, make_module
from golden_format import float32_errors, write_safetensors

TOKENS = "x: batch, rows*columns, channels"


def swin_blocks(random, count):
    for i in range(count):
        window = random.choice((7, 7, 12, 4))
        shift = random.choice((0, window // 2))
        rows, columns, heads = random.randint(1, 20), random.randint(1, 20), random.choice((1, 2, 3, 4))
        dim = heads * random.choice((8, 16, 32))
        yield f"swin_block_2d_{rows}x{columns}_w{window}_s{shift}_{i}", {
            "module": "Swin block, 2-D", "dim": dim, "heads": heads, "window": window, "shift": shift, "height": rows,
            "width": columns, "layout": TOKENS, "inputs": {"x": [random.randint(1, 3), rows * columns, dim]}}


def patches(random, count):
    for i in range(count):
        rows, columns, dim = random.randint(1, 34), random.randint(1, 34), random.choice((24, 32, 40))
        yield f"patch_embed_2d_{rows}x{columns}_{i}", {
            "module": "patch embedding", "embed_dim": dim, "patch": 4, "inputs": {"x": [random.randint(1, 3), 3, rows, columns]}}
        rows, columns, dim = random.randint(1, 12), random.randint(1, 12), random.choice((12, 16, 24))
        yield f"patch_merging_2d_{rows}x{columns}_{i}", {
            "module": "patch merging", "dim": dim, "height": rows, "width": columns,
            "inputs": {"x": [random.randint(1, 3), rows * columns, dim]}}


def pwams(random, count):
    kinds = ["PWAM"] + [f"PWAM with --att_norm_layer_type {norm}" for norm in ("BN", "LN", "none")] + ["PWAM with --fuse simple"]
    for i in range(count):
        kind = kinds[i % len(kinds)]
        heads = random.choice((1, 2, 4, 8))
        dim, language, words = heads * random.choice((8, 12)), random.choice((48, 80)), random.randint(5, 20)
        batch, tokens = random.randint(1, 3), random.randint(2, 70)
        valid = [words] + [random.randint(1, words) for _ in range(batch - 1)]
        meta = {"module": kind, "dim": dim, "language_dim": language, "heads": heads,
                "valid_words": ",".join(map(str, valid)),
                "layout": f"{TOKENS}; l: batch, language channels, words; l_mask: batch, words, 1",
                "inputs": {"x": [batch, tokens, dim], "l": [batch, language, words], "l_mask": [batch, words, 1]}}
        if "simple" in kind:
            del meta["heads"]
        yield f"pwam_2d_{kind.split()[-1]}_{i}".replace("PWAM", f"heads{heads}"), meta


def decoders(random):
    """All four options in both modes."""
    for option in ("", *DECODER_OPTIONS):
        for training in (False, True):
            c4, batch = random.choice((32, 64, 96)), random.randint(2, 3)
            rows, columns = random.randint(1, 4), random.randint(2, 4)
            sizes, width = {}, c4
            for level in (4, 3, 2, 1):
                sizes[f"x_c{level}"] = [batch, width, rows, columns]
                width //= 2
                rows, columns = 2 * rows - random.randint(0, rows > 1), 2 * columns - random.randint(0, 1)
            if option == "lazy":
                del sizes["x_c1"]
            mode = "training (batch statistics; running ones updated once)" if training else "evaluation"
            name = option or "plain"
            yield f"decoder_{name}_{'train' if training else 'eval'}_c{c4}", {
                "module": "mask decoder", "c4_dims": c4, "options": option or ("train" if training else "eval"), "mode": mode,
                "layout": "x: batch, channels, rows, columns", "inputs": sizes}


def berts(random, count):
    for i in range(count):
        heads, words, batch = random.choice((2, 3, 4)), random.randint(3, 22), random.randint(1, 3)
        hidden = heads * random.choice((8, 16))
        valid = [random.randint(1, words) for _ in range(batch)]
        yield f"bert_small_{i}", {
            "module": "BERT encoder without pooler, evaluation mode", "vocab": random.randint(40, 200), "hidden": hidden,
            "layers": random.randint(1, 3), "heads": heads, "intermediate": random.choice((2, 4)) * hidden, "positions": 32,
            "valid_words": ",".join(map(str, valid)), "layer_norm_eps": 1e-12, "activation": "gelu",
            "inputs": {"ids": [batch, words], "attention_mask": [batch, words]}}


def losses(random, count):
    for loss in ("ce", "mc_dice", "dice_focal", "dice_boundary"):
        for i in range(count):
            batch, rows, columns = random.randint(1, 4), random.randint(3, 40), random.randint(3, 40)
            target = "integers(input.target, 0..1)"
            if i % 2:  # one object in some of the pictures, so that others are empty
                blobs = []
                for sample in sorted(random.sample(range(batch), (batch + 1) // 2)):
                    r, c = random.randrange(rows), random.randrange(columns)
                    blobs.append(f"[{sample},{r}:{random.randint(r + 1, rows)},{c}:{random.randint(c + 1, columns)}]=1")
                target = "zeros but " + " and ".join(blobs)
            yield f"loss_{loss}_{'blob' if i % 2 else 'random'}_{batch}x{rows}x{columns}", {
                "module": f"--loss {loss}", "target": target, "inputs": {"logits": [batch, 2, rows, columns]}}


FULL_COMMANDS = (
    "--model lavt --swin_type tiny --version no_gate",
    "--model lavt --swin_type tiny --version none --fuse simple",
    "--model lavt --swin_type tiny --fuse simple",
    "--model lavt --swin_type tiny --hs --window12",
    "--model lavt --swin_type tiny --hs --version no_gate",
    "--model lavt --swin_type tiny --lg_act_layer sigmoid",
    "--model lavt --swin_type tiny --lazy_pred",
    "--model lavt --swin_type tiny --interpolate_before_seg",
    "--model lavt --swin_type tiny --interpolate_before_seg --seg_last",
    "--model lavt --swin_type tiny --mha 1-2-4-8",
    "--model lavt --swin_type tiny --att_norm_layer_type BN",
    "--model lavt --swin_type tiny --att_norm_layer_type LN --mha 3-3-3-3",
    "--model lavt --swin_type tiny --att_norm_layer_type none --window12",
    "--model lavt_one --swin_type tiny --lazy_pred",
    "--model lavt_one --swin_type tiny --hs --mha 2-2-2-2 --interpolate_before_seg",
)


def full_models(random):
    for i, command in enumerate(FULL_COMMANDS):
        batch = random.randint(1, 2)
        yield f"lavt_oracle_{i}", {
            "command": command, "batch": batch, "frames": 0, "height": random.randint(65, 230), "width": random.randint(65, 230),
            "words": 20, "valid_words": ",".join(str(random.randint(1, 20)) for _ in range(batch)), "logits_stride": 4,
            "stage_stride": "channels 8; rows and columns 4 where both exceed 16, else 2", "text_stride": "channels 16"}


SMALL_LAVT = "LAVT, embed_dim 32, depths 2,2,2,2, heads 1,2,4,8, window 7, no drop path, PWAM heads 1"


def trainings(random):
    names = [name for name, _ in SmallLavt(SMALL_LAVT).named_parameters()]
    for loss in ("ce", "mc_dice", "dice_focal", "dice_boundary"):
        steps, amsgrad = random.randint(2, 4), random.random() < 0.5
        yield f"trajectory_{loss}{'_amsgrad' * amsgrad}", {
            "model": SMALL_LAVT, "loss": loss, "amsgrad": amsgrad, "steps": steps, "total_steps": steps + random.randint(1, 9),
            "lr": random.choice((1e-4, 2e-4)), "weight_decay": random.choice((0.0, 0.05)), "batch": 2, "image": 96,
            "parameter_names": json.dumps(names),
            "inputs": "step.S.image (2,3,96,96) in [-2,2); step.S.language (2,768,20) in [-1,1); first 12 and first 5 words "
                      "valid; target of step S: zeros but [0,10+S:50,20:70]=1 and [1,40:90,5:60-S]=1",
            "parameters": "rule of parameter(), keys of the whole model (backbone.*, classifier.*)"}
    for i in range(4):
        yield f"adamw{'_amsgrad' * (i % 2)}_{i}", {
            "lr": random.choice((1e-3, 3e-2)), "weight_decay": random.choice((0.0, 0.01, 0.3)),
            "betas": random.choice(("0.9,0.999", "0.8,0.95")), "eps": random.choice((1e-8, 1e-6)),
            "gradient": "uniform(gradient.S) * 10^((S mod 3) - 1)"}


def cases(random):
    """All cases of one seed, as (folder/name without suffix, metadata)."""
    generators = {"modules": (swin_blocks(random, 10), patches(random, 4), pwams(random, 10), decoders(random), berts(random, 4),
                              losses(random, 4)),
                  "full": (full_models(random),), "training": (trainings(random),)}
    for folder, groups in generators.items():
        for group in groups:
            for name, meta in group:
                yield pathlib.PurePath(folder, name), meta


def write_case(root, name, meta):
    """Computes a case in float64, measures float32's error, and writes the file."""
    texts = {key: json.dumps(value) if isinstance(value, dict) else str(value) for key, value in meta.items()}
    if name.name.startswith("adamw"):
        results = evaluate(name, texts, torch.float32)
    else:
        double, single = (evaluate(name, texts, dtype) for dtype in (torch.float64, torch.float32))
        keep = ("loss", "learning_rate", "gradient_norm", "parameter_abs_mean")  # stored as float64 in the golden files
        results = {key: value.astype("f4") if value.dtype.kind == "f" and key not in keep else value
                   for key, value in double.items()}
        texts["arithmetic"] = "float64" if name.parent.name == "training" else "float64, stored as float32"
        if name.parent.name != "training":
            texts["float32_relative_error"] = json.dumps(float32_errors(single, double))
    if name.parent.name == "modules" and not texts["module"].startswith("--loss"):
        module = make_module(texts)[0]
        texts["parameters"] = json.dumps({key: list(value.shape) for key, value in module.state_dict().items()})
    write_safetensors(root / name.parent / f"{name.name}.safetensors", texts, results)
