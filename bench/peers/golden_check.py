"""Checks our PyTorch LAVT against golden files: golden_check.py DIR [--only TEXT] [--float32].

DIR has `manifests/state_dicts.json.gz` (keys, shapes, dtypes, kinds and order of the models' state dicts), `data/tokenizer`, and
`modules/`, `full/`, `training/` as described in golden_cases.py; whatever it lacks is passed over, and so are fusion variants of
the video models that lavt_video_torch.py does not have. In float64 the numbers must be the files' own to the rounding of their storage; in float32 (--float32) they are
held to the bars for our engine.
"""
import argparse
import gzip
import json
import pathlib
import sys
import time

import numpy as np
import torch

import lavt_torch as lavt
import lavt_video_torch as video
import wordpiece
from golden_cases import evaluate
from golden_format import read_safetensors, relative_error, within_bar, ZERO

FLOAT64_BAR = 2e-7  # stored as float32
DRIFT = 2e-2  # after six steps two float32 runs of a trajectory differ by some 1e-3 in the loss and 6e-2 in the logits


def check_manifests(path):
    """Failures over all command lines of the manifest."""
    failures = 0
    with gzip.open(path) as file:
        manifests = json.load(file)
    for command, expected in manifests.items():
        if not video.has(command):
            continue
        source = video if "lavt_video" in command else lavt
        model = source.build(source.options(command))
        parameters = {name for name, _ in model.named_parameters()}
        actual = [[name, list(value.shape), str(value.dtype).removeprefix("torch."),
                   "parameter" if name in parameters else "buffer"] for name, value in model.state_dict().items()]
        failures += actual != expected
        print(f"{'ok  ' if actual == expected else 'FAIL'} {len(actual)} entries of: {command}")
    return failures


def check_tokenizer(folder):
    """Failures of wordpiece.py over the tokenizer's cases."""
    vocabulary = wordpiece.read_vocabulary(folder / "vocab.txt")
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"]
    failed = [case["text"] for case in cases if wordpiece.encode(case["text"], vocabulary) != case["ids"]]
    print(f"{'FAIL' if failed else 'ok  '} {len(cases)} sentences" + (f"; failed: {failed}" if failed else ""))
    return len(failed)


def judge(name, value, truth, errors, float32):
    """(passed, how far: relative error in float64, share of the bar in float32)."""
    if value.shape != truth.shape:
        raise ValueError(f"{name} has shape {value.shape} where the file has {truth.shape}")
    if truth.dtype.kind != "f":
        different = float(np.abs(value - truth).sum())
        bar = 1e-3 * float(truth.sum()) if float32 and name == "foreground_pixels" else 0.0  # a float32 logit may cross zero
        return different <= bar, different / max(bar, 1.0)
    if float32 and name in errors:
        error = errors[name]
        if name in ("logits_mean", "logits_std"):  # sums that cancel: their measured error is a matter of luck
            error = max(error, errors["logits"] / 3.0)
        return within_bar(value, truth, error)
    error = relative_error(value, truth)
    if not float32:
        zero = np.abs(truth).max(initial=0.0) < ZERO
        return (np.abs(value).max(initial=0.0) < ZERO, 0.0) if zero else (error <= FLOAT64_BAR, error)
    if name == "loss":  # only the first is well defined in float32; what follows drifts apart
        first = abs(value[0] / truth[0] - 1.0)
        return first <= 1e-5 and error <= DRIFT, max(first / 1e-5, error / DRIFT)
    bar = FLOAT64_BAR if name in ("parameter", "learning_rate") else 5.0 * DRIFT
    return error <= bar, error / bar


def check_file(path, float32):
    """Prints one line for the file; returns whether it failed."""
    meta, expected = read_safetensors(path)
    single = float32 or path.stem.startswith("adamw")  # the optimizer's numbers are float32's
    start = time.perf_counter()
    actual = evaluate(path, meta, torch.float32 if single else torch.float64)
    seconds = time.perf_counter() - start
    errors = json.loads(meta.get("float32_relative_error", "{}"))
    if set(actual) != set(expected):
        print(f"FAIL {path.stem} has other tensors than the model: {sorted(set(actual) ^ set(expected))}")
        return True
    verdicts = {name: judge(name, actual[name], truth, errors, float32) for name, truth in expected.items()}
    worst = max(verdicts, key=lambda name: verdicts[name][1])
    failed = [name for name, (passed, _) in verdicts.items() if not passed]
    unit = "of the bar" if float32 else "relative"
    print(f"{'FAIL' if failed else 'ok  '} {path.parent.name}/{path.stem:32} {len(expected):3} tensors, worst "
          f"{verdicts[worst][1]:.2g} {unit} ({worst}), {seconds:.1f} s" + (f"; failed: {failed}" if failed else ""))
    return bool(failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--only", default="", help="check only files whose folder/name contains this")
    parser.add_argument("--float32", action="store_true", help="compute in float32 and hold the results to the bars")
    arguments = parser.parse_args()
    torch.backends.mkldnn.set_flags(False)
    failures = 0
    manifest = arguments.directory / "manifests" / "state_dicts.json.gz"
    if manifest.exists() and arguments.only in "manifests":
        failures += check_manifests(manifest)
    tokenizer = arguments.directory / "data" / "tokenizer"
    if tokenizer.exists() and arguments.only in "tokenizer":
        failures += check_tokenizer(tokenizer)
    files = sorted(path for folder in ("modules", "full", "training")
                   for path in (arguments.directory / folder).glob("*.safetensors"))
    checked = 0
    for path in files:
        if arguments.only in f"{path.parent.name}/{path.stem}" and video.has(read_safetensors(path)[0].get("flags", "")):
            failures += check_file(path, arguments.float32)
            checked += 1
    print(f"{checked} files checked, {failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
