"""Writes golden cases beyond the given ones: data_oracles.py --out DIR --seed N [--only TEXT].

DIR gets `data/resize` and `data/jpeg` (what Pillow makes of random pictures), and `modules`, `full` and `training` (what our
PyTorch modules compute, see model_oracles.py) in the layout and wording of tests/golden. Another seed gives other shapes, sizes
and options.
"""
import argparse
import json
import pathlib
import random as randoms

import numpy as np
import torch
from PIL import Image

from model_oracles import cases, write_case


def picture(generator, rows, columns):
    """An RGB picture with smooth shades, hard edges and some noise, so that filters and DCTs have something to do."""
    r, c = np.mgrid[0:rows, 0:columns].astype(float)
    layers = []
    for _ in range(3):
        a, b, phase = generator.uniform(-0.3, 0.3, 3)
        layers.append(127 + 90 * np.sin(a * r + b * c + 20 * phase))
    image = np.stack(layers, -1)
    for _ in range(3):
        top, left = generator.integers(0, rows), generator.integers(0, columns)
        image[top:top + rows // 3 + 1, left:left + columns // 3 + 1] = generator.uniform(0, 255, 3)
    return Image.fromarray((image + generator.normal(0, 12, image.shape)).clip(0, 255).astype(np.uint8))


def write_json(path, note, entries):
    path.write_text(json.dumps({"note": note, "cases": entries}, indent=1))


def write_resizes(folder, generator, count):
    """source_N.png and mask_N.png, resized as bilinear_N.png and nearest_N.png."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for case in range(count):
        largest = 700 if case < 2 else 120
        source, target = ([int(n) for n in generator.integers(1, largest, 2)] for _ in range(2))
        if case == 0:
            target = [480, 480]
        image = picture(generator, *source)
        blob = np.array(image)[:, :, 0] > 127
        mask = Image.fromarray((blob * 255).astype(np.uint8))
        image.save(folder / f"source_{case}.png")
        mask.save(folder / f"mask_{case}.png")
        image.resize(target[::-1], Image.BILINEAR).save(folder / f"bilinear_{case}.png")
        mask.resize(target[::-1], Image.NEAREST).save(folder / f"nearest_{case}.png")
        entries.append({"case": case, "source": source, "target": target})
    write_json(folder / "cases.json", "RGB picture -> Pillow BILINEAR (antialiasing, 8-bit fixed point) and mask -> Pillow "
               "NEAREST; results must be identical byte for byte; sizes are rows, columns", entries)


def write_jpegs(folder, generator, count):
    """picture_N.jpg in many flavours, and picture_N.png as Pillow decodes it; also two files that must be refused."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for case in range(count):
        rows, columns = (int(n) for n in generator.integers(1, 130, 2))
        mode = ("RGB", "RGB", "RGB", "L", "CMYK")[generator.integers(0, 5)]
        settings = {"quality": int(generator.integers(1, 101)), "subsampling": int(generator.integers(0, 3)),
                    "progressive": bool(generator.integers(0, 2)), "optimize": bool(generator.integers(0, 2))}
        if mode == "L":
            del settings["subsampling"]
        path = folder / f"picture_{case}.jpg"
        picture(generator, rows, columns).convert(mode).save(path, **settings)
        Image.open(path).convert("RGB").save(folder / f"picture_{case}.png")
        entries.append({"case": case, "rows": rows, "columns": columns, "mode": mode, **settings})
    whole = (folder / "picture_0.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[:len(whole) // 2])
    (folder / "not_a_picture.jpg").write_bytes(b"hello" * 50)
    write_json(folder / "cases.json", "picture_N.png is what Pillow decodes from picture_N.jpg as RGB; truncated.jpg and "
               "not_a_picture.jpg must give a clear error that names the file", entries)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--only", default="", help="write only what has this in its folder/name")
    arguments = parser.parse_args()
    torch.backends.mkldnn.set_flags(False)
    generator = np.random.default_rng(arguments.seed)
    for folder, write, count in (("data/resize", write_resizes, 12), ("data/jpeg", write_jpegs, 24)):
        if arguments.only in folder:
            write(arguments.out / folder, generator, count)
    written = 0
    for name, meta in cases(randoms.Random(arguments.seed)):
        if arguments.only in str(name):
            write_case(arguments.out, name, meta)
            written += 1
            print(name, flush=True)
    print(f"{written} model cases written to {arguments.out}")


if __name__ == "__main__":
    main()
