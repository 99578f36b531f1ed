"""Our program against PyTorch on the same work, interleaved: compare.py --ours "lavt bench serve --threads {threads}" [options].

Every side is a long-lived child process that answers the requests of bench/README.md, so starting up is not timed. For each case
and number of threads all sides are started, then asked in turn for --rounds rounds; medians over all their samples are compared.
PyTorch runs in its default environment and in the best one known for this kind of machine (sides.py: best_environment).

--targets measures what the project is to reach, each target with its two sides interleaved, and says which are met.

"waited" is the share of the time that the side's threads stood in the run queue because something else had the cores: figures
with more than a few percent say more about the machine than about the program.
"""
import argparse
import json
import pathlib
import statistics
import sys

import targets
from sides import SIDES, Side, machine

CASES = {  # name: work, model, Swin, window, size, batch
    "quick": "forward lavt tiny 7 96 1",
    "quick-bf16": "forward-bf16 lavt tiny 7 96 1",
    "quick-train": "train lavt tiny 7 96 2",
    "one-base-480": "forward lavt_one base 12 480 1",
    "one-base-480-batch-8": "forward lavt_one base 12 480 8",
    "one-base-480-bf16": "forward-bf16 lavt_one base 12 480 1",
    "tiny-480": "forward lavt tiny 7 480 1",
    "video-tiny-480": "forward lavt_video tiny 7 480 1",
    "train-tiny-480": "train lavt tiny 7 480 2",
    "train-base-480": "train lavt base 12 480 2",
}


def measure(participants, arguments):
    """Runs the sides (targets.Who) in turn; returns one record per side."""
    sides = []
    try:
        for who in participants:
            sides.append(Side(who.side, CASES[who.case], who.threads, arguments.ours, arguments.python))
        for _ in range(arguments.rounds):
            for side in sides:
                side.ask(arguments.seconds)
    finally:
        for side in sides:
            side.stop()
    return [record(who, side, sides[0]) for who, side in zip(participants, sides)]


def record(who, side, first):
    """What is kept of one side; the ratios are to the first side."""
    median, fastest = statistics.median(side.samples), min(side.samples)
    batch = int(CASES[who.case].split()[-1])
    return {"case": who.case, "threads": who.threads, "side": who.side, "engine": side.engine, "milliseconds": median,
            "fastest": fastest, "milliseconds_per_picture": median / batch, "pictures_per_second": 1e3 * batch / median,
            "samples": len(side.samples), "peak_bytes": side.peak, "waited": side.waited / side.asked,
            "ratio": median / statistics.median(first.samples), "fastest_ratio": fastest / min(first.samples)}


HEADER = (f"{'case':20} threads {'side':19} median, ms    fastest samples pictures/s peak, GiB waited  ratio  fastest")


def row(r):
    return (f"{r['case']:20} {r['threads']:7} {SIDES[r['side']][0]:19} {r['milliseconds']:10.1f} {r['fastest']:10.1f} {r['samples']:7} "
            f"{r['pictures_per_second']:10.2f} {r['peak_bytes'] / 2**30:9.2f} {r['waited']:6.0%} {r['ratio']:6.2f} {r['fastest_ratio']:8.2f}")


def list_of(choices, kind=str):
    def parse(text):
        values = [kind(part) for part in text.split(",")]
        unknown = [value for value in values if choices and value not in choices]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown} not among {', '.join(choices)}")
        return values
    return parse


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", help="our server's command; {threads} in it is replaced. Without it only PyTorch runs")
    parser.add_argument("--cases", type=list_of(CASES), default=[name for name in CASES if not name.startswith("quick")],
                        help=f"some of {', '.join(CASES)}, with commas (all but the quick ones)")
    parser.add_argument("--threads", type=list_of(None, int), default=[1, 2], help="numbers of threads, with commas (1,2)")
    parser.add_argument("--sides", type=list_of(SIDES), default=["ours", "torch-default", "torch-best"],
                        help=f"some of {', '.join(SIDES)}, with commas; the ratios are to the first (ours,torch-default,torch-best)")
    parser.add_argument("--targets", nargs="?", type=list_of(targets.TARGETS), const=list(targets.TARGETS),
                        help=f"measure targets instead of cases: all, or some of {', '.join(targets.TARGETS)}, with commas")
    parser.add_argument("--peer", choices=[side for side in SIDES if side.startswith("torch")], default="torch-best",
                        help="whom targets are measured against (torch-best)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="time per request; each measures at least one step")
    parser.add_argument("--python", default="/usr/bin/python3", help="the Python that has PyTorch")
    parser.add_argument("--json", type=pathlib.Path, help="also write the records and the machine here")
    arguments = parser.parse_args()
    if not arguments.ours:
        if arguments.targets:
            parser.error("--targets needs --ours, the command of our server")
        arguments.sides = [side for side in arguments.sides if not side.startswith("ours")]
    return arguments


def main():
    arguments = parse_arguments()
    chosen = targets.choose(arguments.targets or [], arguments.peer)
    if chosen:
        groups = targets.pairs(chosen)
    else:
        groups = [[targets.Who(side, case, threads) for side in arguments.sides]
                  for case in arguments.cases for threads in arguments.threads]
    print(HEADER)
    measured = {}
    for group in groups:
        measured[tuple(group)] = records = measure(group, arguments)
        print("\n".join(map(row, records)), flush=True)
    found = {"machine": machine(), "records": [r for records in measured.values() for r in records]}
    if chosen:
        found["targets"] = [target.judge(measured[target.one, target.other]) for target in chosen]
        print(f"\n{targets.table(found['targets'])}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
