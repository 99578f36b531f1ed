"""What `lavt predict` does, in PyTorch, for timing whole commands: a checkpoint, a picture and a sentence in, a mask out.

    predict_torch.py --checkpoint refcoco.pth --vocabulary vocab.txt --image cat.jpg --sentence "the cat" --output mask.png

The mask is a PNG of the picture's own size with 255 where the object is. The time of each part goes to standard error. Weights are
loaded into uninitialised layers: making 200 million random values that are overwritten at once is not counted against PyTorch.
"""
import argparse
import sys
import time

start = time.perf_counter()

import numpy as np  # noqa: E402 - importing is a part of what is timed
import torch  # noqa: E402
from PIL import Image  # noqa: E402

import lavt_torch as lavt  # noqa: E402
import wordpiece  # noqa: E402

WORDS = 20
MEAN, DEVIATION = (np.array(v, np.float32) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def skip_initialisation():
    """Layers made from now on keep whatever is in their memory."""
    for layer in (torch.nn.Linear, torch.nn.modules.conv._ConvNd, torch.nn.Embedding):
        layer.reset_parameters = lambda self: None


def load(path):
    """The model of a checkpoint in evaluation mode, and its BERT (inside `lavt_one`, beside `lavt`)."""
    checkpoint = torch.load(path, map_location="cpu")
    weights = checkpoint["model"]
    opt = lavt.options()
    args = checkpoint["args"]  # a Namespace, or the dictionary that `weights_only` readers can load
    vars(opt).update(args if isinstance(args, dict) else vars(args))
    opt.model = "lavt_one" if any(key.startswith("text_encoder.") for key in weights) else "lavt"
    opt.window12 = len(weights["backbone.layers.0.blocks.0.attn.relative_position_bias_table"]) == 23 * 23
    skip_initialisation()
    model = lavt.build(opt)
    model.load_state_dict(weights)
    if opt.model == "lavt":
        model.text_encoder = lavt.Bert()
        model.text_encoder.load_state_dict(checkpoint["bert_model"])
    return model.eval()


def read_picture(path, size):
    """(1, 3, size, size) normalised, and the picture's own (width, height)."""
    picture = Image.open(path).convert("RGB")
    values = np.asarray(picture.resize((size, size), Image.BILINEAR), np.float32) / np.float32(255)
    return torch.from_numpy(((values - MEAN) / DEVIATION).transpose(2, 0, 1)[None].copy()), picture.size


def read_sentence(text, vocabulary):
    """Ids and mask (1, 20); a long sentence is cut off, also its [SEP]."""
    ids = wordpiece.encode(text, wordpiece.read_vocabulary(vocabulary))[:WORDS]
    padding = [0] * (WORDS - len(ids))
    return torch.tensor([ids + padding]), torch.tensor([[1] * len(ids) + padding])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--vocabulary", required=True, help="BERT's vocab.txt")
    parser.add_argument("--image", required=True)
    parser.add_argument("--sentence", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--img_size", type=int, default=480)
    arguments = parser.parse_args()
    times = [("import", time.perf_counter())]
    model = load(arguments.checkpoint)
    times.append(("load", time.perf_counter()))
    image, size = read_picture(arguments.image, arguments.img_size)
    ids, mask = read_sentence(arguments.sentence, arguments.vocabulary)
    times.append(("prepare", time.perf_counter()))
    with torch.inference_mode():
        found = model(image, ids, mask).argmax(1)[0]
    times.append(("forward", time.perf_counter()))
    picture = Image.fromarray((found.numpy() * 255).astype(np.uint8))
    picture.resize(size, Image.NEAREST).save(arguments.output)
    times.append(("write", time.perf_counter()))
    parts = [f"{name} {1e3 * (end - begin):.0f}" for (name, end), begin in zip(times, [start] + [end for _, end in times])]
    print(f"milliseconds: {', '.join(parts)}; in all {1e3 * (time.perf_counter() - start):.0f}", file=sys.stderr)


if __name__ == "__main__":
    main()
