"""The step of measure.py that times single operations, ours and PyTorch's in turn on the same GPU."""
import statistics
from math import prod

from child import Child, Failed

SECONDS, ROUNDS = 0.05, 3
PRECISIONS = "fp32", "tf32", "bf16"
LINEAR = (  # rows x outputs x inputs: Swin-B's layers at 480, batch 8, then a square
    "115200x384x128", "115200x512x128", "115200x128x512", "28800x768x256", "28800x1024x256", "28800x256x1024",
    "7200x1536x512", "7200x2048x512", "7200x512x2048", "1800x3072x1024", "1800x4096x1024", "1800x1024x4096", "8192x8192x8192")
ATTENTION = "8x120x12x6x4", "8x60x12x6x8", "8x30x12x6x16", "8x15x12x6x32", "8x120x7x3x3"  # maps x side x window x shift x heads of 32
CONVOLUTION = "8x1x30x1536x512", "8x1x60x768x512", "8x1x120x640x512", "8x1x120x512x512", "1x8x120x96x96"  # maps x frames x side x channels in x out
MEMORY = (("layer-norm", "115200x128"), ("layer-norm", "7200x512"), ("instance-norm", "8x14400x128"), ("gelu", "115200x512"),
          ("word-attention", "8x14400x20x128"), ("resize", "8x60x512"))
CASES = ([("copy", "fp32", "1024")]
         + [("linear", precision, sizes) for sizes in LINEAR for precision in PRECISIONS]
         + [("linear", "fp16", LINEAR[-1])]
         + [("window-attention", precision, sizes) for sizes in ATTENTION for precision in ("fp32", "bf16")]
         + [("convolution", precision, sizes) for sizes in CONVOLUTION for precision in PRECISIONS]
         + [(name, "fp32", sizes) for name, sizes in MEMORY]
         + [("linear-training", precision, "28800x1024x256") for precision in PRECISIONS]
         + [("window-attention-training", "fp32", "8x30x12x6x16"), ("convolution-training", "tf32", "8x1x60x768x512"),
            ("convolution-training", "bf16", "8x1x60x768x512"), ("layer-norm-training", "fp32", "115200x128")])
SMOKE = (("copy", "fp32", "1"), ("linear", "bf16", "64x32x48"), ("window-attention", "fp32", "1x9x4x2x1"), ("convolution", "tf32", "1x1x6x8x8"),
         ("convolution", "fp32", "1x3x5x4x4"), ("layer-norm", "fp32", "20x32"), ("instance-norm", "fp32", "1x20x8"), ("gelu", "fp32", "9x8"),
         ("word-attention", "fp32", "1x20x5x32"), ("resize", "fp32", "1x4x8"), ("linear-training", "fp32", "16x8x8"),
         ("window-attention-training", "fp32", "1x9x4x2x1"), ("convolution-training", "bf16", "1x1x6x8x8"), ("layer-norm-training", "fp32", "20x32"))


def operations(name, sizes):
    """Multiplications and additions of one run; None for what is bound by memory."""
    s = [int(n) for n in sizes.split("x")]
    work = 3 if name.endswith("-training") else 1
    kind = name.removesuffix("-training")
    if kind == "linear":
        return work * 2 * prod(s)
    if kind == "convolution":
        batch, frames, side, inputs, outputs = s
        return work * 2 * batch * frames * side * side * inputs * outputs * (27 if frames > 1 else 9)
    return None


def measure(run):
    """One record per case: medians of both sides, TFLOP/s or GB/s, and PyTorch's median in units of ours."""
    records = run.results["kernels"] = []
    sides = start(run, [("ours", [run.app / "Lavt.GpuBench", "serve"]),
                        ("torch", [run.python, run.peers / "kernels_torch.py", "--device", run.torch_device])])
    try:
        for name, precision, sizes in SMOKE if run.smoke else CASES:
            if run.left() < 3:
                raise Failed(f"no time was left for {name} {precision} {sizes} and what follows")
            samples, record = {}, {"operation": name, "precision": precision, "sizes": sizes}
            for _ in range(1 if run.smoke else ROUNDS):
                for side in [side for side in sides if side.is_alive and f"{side.name}_error" not in record]:
                    try:
                        answer = side.ask(f"{name} {precision} {sizes} {0 if run.smoke else SECONDS}", min(20, run.left()))
                        samples.setdefault(side.name, []).extend(answer["milliseconds"])
                        record[f"{side.name}_bytes"] = answer["bytes"]
                    except Failed as failure:
                        record[f"{side.name}_error"] = str(failure)
            records.append(judged(record, samples, operations(name, sizes)))
            run.save()
        failed = [r for r in records if "ours_error" in r]
        if failed or not sides:
            raise Failed("\n".join(f"{r['operation']} {r['precision']} {r['sizes']}: {r['ours_error']}" for r in failed) or "no side could be started")
    finally:
        for side in sides:
            side.stop()


def start(run, commands):
    """The sides that can be started; what the others said is noted."""
    sides = []
    for name, command in commands:
        try:
            sides.append(Child(run.programs, name, command, min(60, run.left())))
            run.results.setdefault("engines", {})[name] = sides[-1].engine
        except Failed as failure:
            run.note(f"{name} could not be started: {failure}")
    return sides


def judged(record, samples, count):
    for side, times in samples.items():
        middle = record[f"{side}_ms"] = statistics.median(times)
        record[f"{side}_gb_s"] = record[f"{side}_bytes"] / middle / 1e6
        if count:
            record[f"{side}_tflop_s"] = count / middle / 1e9
    if "ours_ms" in record and "torch_ms" in record:
        record["ratio"] = record["torch_ms"] / record["ours_ms"]
    return record
