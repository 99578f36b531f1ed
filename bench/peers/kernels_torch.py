"""Single operations in PyTorch, the other side of bench/gpu's: a child that answers lines as `Lavt.GpuBench serve` does.

    kernels_torch.py --device cuda|cpu

Inputs of a bf16 or fp16 operation lie in that type. A line is OPERATION PRECISION SIZES SECONDS; bench/README.md says what the sizes are.
"""
import argparse
import json
import sys
import time

import torch
from torch.nn import functional as F

import lavt_torch as lavt

SECONDS_PER_SAMPLE, MOST_PER_SAMPLE = 2e-3, 200
HEAD = 32
TYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def window_attention(window, shift, heads, side, device):
    """From (B, side*side, 3C) to (B, side*side, C), as lavt_torch.SwinBlock does it between its linear layers; padding is zeros."""
    padded, places = side + -side % window, window * window
    index = lavt.relative_position_index((window, window)).view(-1).to(device)
    masks = {}

    def attend(qkv, table):
        y = F.pad(qkv.view(len(qkv), side, side, -1), (0, 0, 0, padded - side, 0, padded - side))
        if shift:
            y = torch.roll(y, (-shift, -shift), (1, 2))
        q, k, v = lavt.to_windows(y, window).view(-1, places, 3, heads, HEAD).permute(2, 0, 3, 1, 4)
        scores = (q * HEAD ** -0.5) @ k.transpose(-2, -1)
        scores += table[index].view(places, places, heads).permute(2, 0, 1)
        if shift:
            if y.dtype not in masks:
                masks[y.dtype] = lavt.shift_mask(padded, padded, window, shift, y)
            scores.view(-1, len(masks[y.dtype]), heads, places, places).add_(masks[y.dtype][:, None])
        y = lavt.from_windows((scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, places, heads * HEAD), window, len(qkv), padded, padded)
        if shift:
            y = torch.roll(y, (shift, shift), (1, 2))
        return y[:, :side, :side].reshape(len(qkv), side * side, -1)

    return attend


def operation(kind, s, device):
    """The function, and the shapes of its inputs."""
    if kind == "linear" and len(s) == 3:
        return F.linear, [(s[0], s[2]), (s[1], s[2]), (s[1],)]
    if kind == "window-attention" and len(s) == 5:
        batch, side, window, shift, heads = s
        shapes = [(batch, side * side, 3 * HEAD * heads), ((2 * window - 1) ** 2, heads)]
        return window_attention(window, shift, heads, side, device), shapes
    if kind == "convolution" and len(s) == 5:
        batch, frames, side, inputs, outputs = s
        if frames == 1:
            return lambda x, w: F.conv2d(x, w, padding=1), [(batch, inputs, side, side), (outputs, inputs, 3, 3)]
        return lambda x, w: F.conv3d(x, w, padding=1), [(batch, inputs, frames, side, side), (outputs, inputs, 3, 3, 3)]
    if kind == "word-attention" and len(s) == 4:
        scale = s[3] ** -0.5
        return lambda q, k, v: (q @ k.mT * scale).softmax(-1) @ v, [(s[0], s[1], s[3]), (s[0], s[2], s[3]), (s[0], s[2], s[3])]
    if kind == "layer-norm" and len(s) == 2:
        return lambda x, gamma, beta: F.layer_norm(x, (s[1],), gamma, beta), [(s[0], s[1]), (s[1],), (s[1],)]
    if kind == "instance-norm" and len(s) == 3:
        return lambda x: F.instance_norm(x.mT).mT, [(s[0], s[1], s[2])]
    if kind == "gelu" and len(s) == 2:
        return F.gelu, [(s[0], s[1])]
    if kind == "resize" and len(s) == 3:
        return lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True), [(s[0], s[2], s[1], s[1])]
    raise ValueError(f"no operation '{kind}' with {len(s)} sizes")


def size_of(x):
    return x.numel() * x.element_size()


def make(name, precision, sizes, device):
    """What is to be timed, and the bytes of its tensors."""
    if precision not in TYPES:
        raise ValueError(f"no precision is called '{precision}'")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    s = [int(n) for n in sizes.split("x")]
    if name == "copy":
        x = torch.zeros(s[0] << 18, device=device)
        y = torch.empty_like(x)
        return lambda: y.copy_(x), 2 * size_of(x)
    kind = name.removesuffix("-training")
    compute, shapes = operation(kind, s, device)
    inputs = [torch.rand(shape, device=device).mul_(2).sub_(1).to(TYPES[precision]) for shape in shapes]
    if kind in ("convolution", "resize"):
        layout = torch.channels_last if inputs[0].ndim == 4 else torch.channels_last_3d
        inputs = [x.to(memory_format=layout) for x in inputs]
    given, computed = (sum(map(size_of, tensors)) for tensors in (inputs, [compute(*inputs)]))
    if kind == name:
        def infer():
            with torch.inference_mode():
                compute(*inputs)

        return infer, given + computed
    gradient = torch.rand_like(compute(*inputs))
    leaves = [x.requires_grad_() for x in inputs]

    def train():
        torch.autograd.grad(compute(*leaves), leaves, gradient)

    return train, 3 * given + 2 * computed


class Clock:
    """Seconds of some runs: by the GPU's events, or on a CPU by the host's clock."""

    def __init__(self, device):
        self.events = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if device == "cuda" else None

    def seconds(self, work, runs):
        if not self.events:
            start = time.perf_counter()
            for _ in range(runs):
                work()
            return (time.perf_counter() - start) / runs
        self.events[0].record()
        for _ in range(runs):
            work()
        self.events[1].record()
        self.events[1].synchronize()
        return self.events[0].elapsed_time(self.events[1]) * 1e-3 / runs


def measure(line, device, clock):
    name, precision, sizes, seconds = line.split()
    work, size = make(name, precision, sizes, device)
    clock.seconds(work, 1)
    runs = min(MOST_PER_SAMPLE, max(1, int(SECONDS_PER_SAMPLE / max(1e-9, clock.seconds(work, 1)))))
    samples, total = [], 0.0
    while not samples or total < float(seconds):
        samples.append(clock.seconds(work, runs))
        total += samples[-1] * runs
    return {"milliseconds": [round(1e3 * s, 6) for s in samples], "bytes": size}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    device = parser.parse_args().device
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    clock = Clock(device)
    print(json.dumps({"ready": f"PyTorch {torch.__version__} on {torch.cuda.get_device_name() if device == 'cuda' else 'the CPU'}"}), flush=True)
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        try:
            answer = measure(line, device, clock)
        except (ValueError, RuntimeError) as error:
            answer = {"error": f"'{line.strip()}': {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
