"""The targets that `compare.py --targets` measures and judges: what must be at most so many times something else."""
from dataclasses import dataclass, replace
from fractions import Fraction

NOISE = Fraction(103, 100)  # two runs of the same program may differ by so much
BASE = "one-base-480"


@dataclass(frozen=True)
class Who:
    """One side of a comparison: whose program, on which case, with how many threads."""
    side: str
    case: str
    threads: int


@dataclass(frozen=True)
class Target:
    """`quantity` of `one`'s record is to be at most `bound` times `other`'s."""
    name: str
    title: str
    one: Who
    other: Who
    bound: Fraction
    quantity: str = "milliseconds"

    def judge(self, records):
        """The ratio, and whether it is within the bound. `records` has those of both sides, measured together."""
        found = {Who(r["side"], r["case"], r["threads"]): r[self.quantity] for r in records}
        ratio = found[self.one] / found[self.other]
        return {"target": self.name, "title": self.title, "against": self.other.side,
                "bound": float(self.bound), "measured": ratio, "met": ratio <= float(self.bound)}


def against_torch(name, title, case, bound, ours="ours", threads=2, quantity="milliseconds"):
    return Target(name, title, Who(ours, case, threads), Who("torch-best", case, threads), Fraction(bound), quantity)


def among_ours(name, title, one, other, bound=NOISE, quantity="milliseconds"):
    return Target(name, title, Who("ours", *one), Who("ours", *other), Fraction(bound), quantity)


TARGETS = {target.name: target for target in (
    against_torch("fp32", "lavt_one base, two threads / PyTorch", BASE, "1/3"),
    against_torch("bf16", "the same in bf16 / PyTorch in bf16", BASE + "-bf16", "2/5"),
    against_torch("one-thread", "lavt_one base, one thread / PyTorch", BASE, "2/5", threads=1),
    against_torch("avx2", "without AVX-512 / PyTorch with it", BASE, "3/4", ours="ours-avx2"),
    against_torch("tiny", "lavt tiny, two threads / PyTorch", "tiny-480", "1/3"),
    against_torch("video", "lavt_video tiny, a clip of 8 frames / PyTorch", "video-tiny-480", "1/2"),
    against_torch("train", "training step of lavt base, batch 2 / PyTorch", "train-base-480", "1/2"),
    against_torch("train-memory", "its peak memory / PyTorch", "train-base-480", "2/3", quantity="peak_bytes"),
    among_ours("batch", "a picture in a batch of 8 / one alone", (BASE + "-batch-8", 2), (BASE, 2),
               quantity="milliseconds_per_picture"),
    among_ours("two-threads", "two threads / one", (BASE, 2), (BASE, 1), "20/37"),
    among_ours("four-threads", "four threads asked for / two", (BASE, 4), (BASE, 2)),
    among_ours("sixteen-threads", "sixteen threads asked for / two", (BASE, 16), (BASE, 2)),
)}


def choose(names, peer):
    """The named targets, with another side of PyTorch's than its best if `peer` says so."""
    chosen = (TARGETS[name] for name in names)
    return [replace(t, other=replace(t.other, side=peer)) if t.other.side == "torch-best" else t for t in chosen]


def pairs(chosen):
    """The sides to be measured together, one pair for all targets that compare the same two."""
    return list(dict.fromkeys((target.one, target.other) for target in chosen))


def table(verdicts):
    lines = [f"{'target':16} {'at most':>8} {'measured':>9}        what"]
    for v in verdicts:
        lines.append(f"{v['target']:16} {v['bound']:8.3f} {v['measured']:9.3f} {'met' if v['met'] else 'MISSED':6} {v['title']}")
    return "\n".join(lines)
