"""Whole commands, interleaved: `lavt predict` against predict_torch.py, from the start of the process to the written mask.

    compare_predict.py --ours "lavt predict" [--ours ANOTHER_BUILD] [--folder DIR] [--rounds 5] [--json FILE]

The folder keeps the checkpoint (`lavt_one` base, window 12, random weights, 915 MB; made by make_checkpoint.py where it is missing),
a 640 x 480 JPEG and a vocabulary of BERT's size. One run of each side comes first and is not counted: it brings the file into the
system's cache. The share of pixels on which the masks agree shows that both did the same work; random weights put many pixels near
the threshold, so that a few may differ.
"""
import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

from sides import best_environment, machine

HERE = pathlib.Path(__file__).parent
SENTENCE = "the small red circle on the left"


def prepare(folder, command):
    """The checkpoint, the picture and the vocabulary, made where they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, picture, vocabulary = folder / "base.pth", folder / "picture.jpg", folder / "vocab.txt"
    if not checkpoint.exists():
        subprocess.run([sys.executable, HERE / "make_checkpoint.py", command, checkpoint], check=True)
    if not picture.exists():
        rows, columns = np.mgrid[:480, :640]
        waves = [127 + 60 * np.sin(columns / (20 + 9 * c)) * np.cos(rows / (31 - 7 * c)) + 40 * ((rows // 40 + columns // 50) % 2) for c in range(3)]
        Image.fromarray(np.stack(waves, -1).astype(np.uint8)).save(picture, quality=92)
    if not vocabulary.exists():
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(SENTENCE.split())]
        vocabulary.write_text("\n".join([*words, *(f"word{i}" for i in range(len(words), 30522))]) + "\n", encoding="utf-8")
    return checkpoint, picture, vocabulary


def run(command, environment):
    """Seconds and peak bytes of one run; it stops everything if the run fails."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "OPENBLAS_", "GOMP_"))}
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=inherited | environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{shlex.join(map(str, command))} ended with {process.returncode}:\n{output.read().decode()}")
    return seconds, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", action="append", required=True, help="a command that takes the flags of `lavt predict`; may be repeated")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "lavt-predict")
    parser.add_argument("--model", default="--model lavt_one --swin_type base --window12", help="of the checkpoint, if it has to be made")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-torch", action="store_true", help="compare commands of ours with each other")
    parser.add_argument("--json", type=pathlib.Path, help="also write the records and the machine here")
    arguments = parser.parse_args()
    checkpoint, picture, vocabulary = prepare(arguments.folder, arguments.model)
    masks = arguments.folder / "masks"
    sides = []  # name, command, environment, mask
    for i, ours in enumerate(arguments.ours):
        out = masks / str(i)
        flags = ["--image", picture, "--text", SENTENCE, "--resume", checkpoint, "--bert_tokenizer", vocabulary, "--out", out]
        sides.append((ours, [*shlex.split(ours), *flags], {}, out / "picture.mask0.png"))
    if not arguments.without_torch:
        flags = ["--checkpoint", checkpoint, "--vocabulary", vocabulary, "--image", picture, "--sentence", SENTENCE, "--output", masks / "torch.png"]
        best = best_environment() | {"OMP_NUM_THREADS": str(os.cpu_count())}
        sides.append(("predict_torch.py", [sys.executable, HERE / "predict_torch.py", *flags], best, masks / "torch.png"))
    masks.mkdir(exist_ok=True)
    runs = {name: [] for name, *_ in sides}
    for round_number in range(arguments.rounds + 1):
        for name, command, environment, _ in sides:
            found = run(command, environment)
            if round_number:
                runs[name].append(found)
    first = statistics.median(seconds for seconds, _ in runs[sides[0][0]])
    expected = np.asarray(Image.open(sides[-1][3])) > 0
    records = []
    for number, (name, _, _, mask) in enumerate(sides):
        seconds, peaks = zip(*runs[name])
        median = statistics.median(seconds)
        agreement = float(((np.asarray(Image.open(mask)) > 0) == expected).mean())
        records.append({"side": "torch-best" if name == "predict_torch.py" else f"ours {number}", "milliseconds": 1e3 * median, "fastest": 1e3 * min(seconds),
                        "samples": len(seconds), "peak_bytes": max(peaks), "ratio": median / first, "equal_pixels": agreement})
        print(f"{name:40} median {1e3 * median:6.0f} ms, fastest {1e3 * min(seconds):6.0f} ms of {len(seconds)}, "
              f"peak {max(peaks) / 1e6:5.0f} MB, {median / first:5.2f} of the first, {agreement:7.3%} of the last one's pixels")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "records": records}, indent=1) + "\n")


if __name__ == "__main__":
    main()
