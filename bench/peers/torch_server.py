"""PyTorch as one side of compare.py: a child process that times what it is told to, line by line (bench/README.md: the protocol).

    torch_server.py --threads N
"""
import argparse
import json
import sys
import time

import torch

import lavt_torch as lavt
import lavt_video_torch as video
from golden_cases import parameter_groups
from losses_torch import cross_entropy

WORDS, VIDEO_WORDS = 20, 22
VIDEO_FLAGS = "--sep_t_pwam --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 --mm_t3x3_s1x1"  # the journal paper's


def peak_bytes():
    """The most memory that this process has held so far."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def for_inference(model, bf16):
    """What makes a model faster without changing its numbers: batch norms folded into convolutions, weights channels last. In bf16,
    layer norms stay in float32 (as the resizing of maps does): PyTorch 1.13's own for bf16 take eight times as long."""
    decoder = model.eval().classifier
    for step in decoder.steps:
        for conv, norm in ((f"conv1_{step}", f"bn1_{step}"), (f"conv2_{step}", f"bn2_{step}")):
            setattr(decoder, conv, torch.nn.utils.fuse_conv_bn_eval(getattr(decoder, conv), getattr(decoder, norm)))
            setattr(decoder, norm, torch.nn.Identity())
    decoder.to(memory_format=torch.channels_last)
    if bf16:
        model.bfloat16()
        for norm in (module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)):
            norm.float()
            norm.register_forward_pre_hook(lambda _, inputs: (inputs[0].float(),))
            norm.register_forward_hook(lambda _, inputs, y: y.bfloat16())


class Case:
    """A model with random weights and inputs; `step` does the work that is timed."""

    def __init__(self, kind, model, swin, window, size, batch):
        command = f"--model {model} --swin_type {swin}" + (" --window12" if window == 12 else "")
        of_clips = model == "lavt_video"
        self.model = video.build(video.options(f"{command} {VIDEO_FLAGS}")) if of_clips else lavt.build(lavt.options(command))
        frames, words = ((video.FRAMES,), VIDEO_WORDS) if of_clips else ((), WORDS)
        self.image = torch.randn(batch, *frames, 3, size, size)
        self.mask = torch.ones(batch, words)
        self.text = torch.randint(1, 30522, (batch, words))
        if model == "lavt":
            self.text, self.mask = torch.randn(batch, lavt.LANGUAGE_WIDTH, WORDS), self.mask[:, :, None]
        self.step = {"forward": self._forward, "forward-bf16": self._forward, "train": self._train}[kind]
        if kind != "train":
            for_inference(self.model, kind == "forward-bf16")
        if kind == "forward-bf16":
            self.image, self.mask = self.image.bfloat16(), self.mask.bfloat16()
            self.text = self.text.bfloat16() if self.text.is_floating_point() else self.text
        if kind == "train":
            self.model.train()
            self.target = torch.randint(0, 2, (batch * (video.FRAMES if of_clips else 1), size, size))
            self.optimizer = torch.optim.AdamW(self._groups(), lr=5e-5)

    def _groups(self):
        """The published groups, with the first ten layers of BERT; what is not optimised gets no gradients."""
        groups = parameter_groups(self.model, 0.01)
        if hasattr(self.model, "text_encoder"):
            self.model.text_encoder.requires_grad_(False)
            layers = self.model.text_encoder.encoder["layer"][:10].requires_grad_(True)
            groups.append({"params": list(layers.parameters()), "weight_decay": 0.01})
        return groups

    def _forward(self):
        with torch.inference_mode():
            self.model(self.image, self.text, self.mask)

    def _train(self):
        loss = cross_entropy(self.model(self.image, self.text, self.mask), self.target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()


def measure(case, seconds):
    """Milliseconds of each step; at least one."""
    samples, end = [], time.perf_counter() + seconds
    while not samples or time.perf_counter() < end:
        start = time.perf_counter()
        case.step()
        samples.append(1e3 * (time.perf_counter() - start))
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, required=True)
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    print(json.dumps({"ready": f"PyTorch {torch.__version__}"}), flush=True)
    key = case = None
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        try:
            kind, model, swin, window, size, batch, seconds = line.split()
            if key != (request := (kind, model, swin, int(window), int(size), int(batch))):
                key = case = None  # frees the former model before the next is made
                case, key = Case(*request), request
                case.step()
            answer = {"milliseconds": measure(case, float(seconds)), "peak_bytes": peak_bytes()}
        except (ValueError, KeyError, RuntimeError, SystemExit) as error:
            answer = {"error": f"'{line.strip()}': {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
