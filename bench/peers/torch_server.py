"""PyTorch as one side of compare.py: a child process that times what it is told to, line by line (bench/README.md: the protocol).

    torch_server.py --threads N [--device cuda] [--compile]

On a GPU the work may also be forward-fp16, forward-tf32, train-tf32 and train-bf16 (autocast), inputs and results lie in its memory, a step ends when
the GPU has done it, and the peak is that of the tensors there since the case began.
"""
import argparse
import gc
import json
import sys
import time

import torch

import lavt_torch as lavt
import lavt_video_torch as video
from golden_cases import parameter_groups
from losses_torch import cross_entropy

WORDS, VIDEO_WORDS = 20, 22
WORKS = {"cpu": ("forward", "forward-bf16", "train"),
         "cuda": ("forward", "forward-tf32", "forward-bf16", "forward-fp16", "train", "train-tf32", "train-bf16")}
WARM_UPS = {"cpu": 1, "cuda": 3}  # steps before the first that counts; a compiled model records its graph in the second
VIDEO_FLAGS = "--sep_t_pwam --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 --mm_t3x3_s1x1"  # the journal paper's


def peak_bytes(device):
    """The most memory that this process has held so far, or on a GPU its tensors since the case began."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def for_inference(model, rounded, device):
    """What makes a model faster without changing its numbers: batch norms folded into convolutions, weights channels last. In bf16 on
    a CPU layer norms stay in float32 (as the resizing of maps does): PyTorch 1.13's own for bf16 take eight times as long."""
    decoder = model.eval().classifier
    for step in decoder.steps:
        for conv, norm in ((f"conv1_{step}", f"bn1_{step}"), (f"conv2_{step}", f"bn2_{step}")):
            setattr(decoder, conv, torch.nn.utils.fuse_conv_bn_eval(getattr(decoder, conv), getattr(decoder, norm)))
            setattr(decoder, norm, torch.nn.Identity())
    decoder.to(memory_format=torch.channels_last)
    if rounded:
        model.to(rounded)
    if rounded and device == "cpu":
        for norm in (module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)):
            norm.float()
            norm.register_forward_pre_hook(lambda _, inputs: (inputs[0].float(),))
            norm.register_forward_hook(lambda _, inputs, y: y.bfloat16())


class Case:
    """A model with random weights and inputs; `step` does the work that is timed."""

    def __init__(self, machine, kind, model, swin, window, size, batch):
        work, _, precision = kind.partition("-")
        if kind not in WORKS[machine.device]:
            raise ValueError(f"'{kind}' is not among {', '.join(WORKS[machine.device])}")
        self.device, self.autocast = machine.device, work == "train" and precision == "bf16"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        command = f"--model {model} --swin_type {swin}" + (" --window12" if window == 12 else "")
        of_clips = model == "lavt_video"
        self.model = (video.build(video.options(f"{command} {VIDEO_FLAGS}")) if of_clips else lavt.build(lavt.options(command))).to(self.device)
        frames, words = ((video.FRAMES,), VIDEO_WORDS) if of_clips else ((), WORDS)
        self.image = torch.randn(batch, *frames, 3, size, size, device=self.device)
        self.mask = torch.ones(batch, words, device=self.device)
        self.text = torch.randint(1, 30522, (batch, words), device=self.device)
        if model == "lavt":
            self.text, self.mask = torch.randn(batch, lavt.LANGUAGE_WIDTH, WORDS, device=self.device), self.mask[:, :, None]
        self.step = self._forward if work == "forward" else self._train
        if work == "forward":
            rounded = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
            for_inference(self.model, rounded, self.device)
            if rounded:
                self.image, self.mask = self.image.to(rounded), self.mask.to(rounded)
                self.text = self.text.to(rounded) if self.text.is_floating_point() else self.text
        else:
            self.model.train()
            self.target = torch.randint(0, 2, (batch * (video.FRAMES if of_clips else 1), size, size), device=self.device)
            self.optimizer = torch.optim.AdamW(self._groups(), lr=5e-5)
        if machine.compile:  # a forward pass as a CUDA graph
            self.model = torch.compile(self.model, mode="reduce-overhead" if work == "forward" else None, dynamic=False)

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
        self._wait()

    def _train(self):
        with torch.autocast(self.device, torch.bfloat16, enabled=self.autocast):
            logits = self.model(self.image, self.text, self.mask)
        loss = cross_entropy(logits.float(), self.target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self._wait()

    def _wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()


def measure(case, seconds):
    """Milliseconds of each step; at least one."""
    samples, end = [], time.perf_counter() + seconds
    while not samples or time.perf_counter() < end:
        start = time.perf_counter()
        case.step()
        samples.append(1e3 * (time.perf_counter() - start))
    return samples


def free_cases():
    """Gives the former model's memory back before the next is made."""
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--compile", action="store_true", help="models go through torch.compile")
    return parser.parse_args()


def main():
    machine = parse_arguments()
    torch.set_num_threads(machine.threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    print(json.dumps({"ready": f"PyTorch {torch.__version__}{', compiled' if machine.compile else ''}"}), flush=True)
    key = case = None
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        try:
            kind, model, swin, window, size, batch, seconds = line.split()
            if key != (request := (kind, model, swin, int(window), int(size), int(batch))):
                key = case = None
                free_cases()
                case, key = Case(machine, *request), request
                for _ in range(WARM_UPS[machine.device]):
                    case.step()
            answer = {"milliseconds": measure(case, float(seconds)), "peak_bytes": peak_bytes(machine.device)}
        except (ValueError, KeyError, RuntimeError, SystemExit) as error:
            answer = {"error": f"'{line.strip()}': {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
