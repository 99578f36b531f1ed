"""Our program against PyTorch on the same work, interleaved: compare.py --ours "lavt bench serve --threads {threads}" [options].

Every side is a long-lived child process that answers the requests of bench/README.md, so starting up is not timed. For each case
and number of threads all sides are started, then asked in turn for --rounds rounds; medians over all their samples are compared.
PyTorch runs in its default environment and in the best one known for this kind of machine (see best_environment).

"waited" is the share of the time that the side's threads stood in the run queue because something else had the cores: figures
with more than a few percent say more about the machine than about the program.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import time

CASES = {  # name: work, model, Swin, window, size, batch
    "quick": ("forward", "lavt", "tiny", 7, 96, 1),
    "quick-train": ("train", "lavt", "tiny", 7, 96, 2),
    "one-base-480": ("forward", "lavt_one", "base", 12, 480, 1),
    "tiny-480": ("forward", "lavt", "tiny", 7, 480, 1),
    "train-tiny-480": ("train", "lavt", "tiny", 7, 480, 2),
    "train-base-480": ("train", "lavt", "base", 12, 480, 2),
}
SERVER = pathlib.Path(__file__).with_name("torch_server.py")


def best_environment():
    """What makes PyTorch with OpenBLAS fastest: its AVX-512 kernels where the processor has them (it does not know new AMD
    processors), and OpenMP threads that do not spin against OpenBLAS' own."""
    environment = {"OMP_WAIT_POLICY": "PASSIVE"}
    flags = pathlib.Path("/proc/cpuinfo").read_text() if pathlib.Path("/proc/cpuinfo").exists() else ""
    return environment | ({"OPENBLAS_CORETYPE": "SKYLAKEX"} if "avx512f" in flags else {})


ENVIRONMENTS = {"default": {}, "best": best_environment()}
OURS = "ours"


class Side:
    """One child process that answers requests."""

    def __init__(self, name, command, environment):
        self.name, self.command = name, command
        self.samples, self.peak = [], 0
        self.asked = self.waited = 0.0
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "OPENBLAS_", "GOMP_"))}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=inherited | environment)
        self.engine = self._read()["ready"]

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{shlex.join(self.command)} ended with status {self.process.wait()} before it answered")
        answer = json.loads(line)
        if "error" in answer:
            raise SystemExit(f"{shlex.join(self.command)} answered: {answer['error']}")
        return answer

    def ask(self, case, seconds):
        """One request; its samples are added to this side's."""
        waited, start = self._run_queue_seconds(), time.perf_counter()
        self.process.stdin.write(" ".join(map(str, case)) + f" {seconds}\n")
        self.process.stdin.flush()
        answer = self._read()
        self.samples += answer["milliseconds"]
        self.peak = answer["peak_bytes"]
        self.asked += time.perf_counter() - start
        self.waited += max(0.0, self._run_queue_seconds() - waited)

    def _run_queue_seconds(self):
        """How long the child's present threads have waited for a core, in all."""
        seconds = 0.0
        for thread in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # the thread may have ended meanwhile
                seconds += int(thread.read_text().split()[1]) / 1e9
        return seconds

    def stop(self):
        """Asks the child to end; one that hangs is killed."""
        try:
            self.process.communicate("quit\n", timeout=10)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.process.kill()
            self.process.wait()


def start_sides(ours, python, environments, threads, started):
    """Starts all sides one after another; `started` has those that run, also if one fails."""
    if ours:
        command = [part.replace("{threads}", str(threads)) for part in shlex.split(ours)]
        started.append(Side(OURS, command, {}))
    for name in environments:
        environment = {"OMP_NUM_THREADS": str(threads), "PYTHONDONTWRITEBYTECODE": "1"} | ENVIRONMENTS[name]
        started.append(Side(f"PyTorch, {name}", [python, str(SERVER), "--threads", str(threads)], environment))


def compare(name, threads, arguments):
    """Runs one case; returns one record per side."""
    sides = []
    try:
        start_sides(arguments.ours, arguments.python, arguments.environments, threads, sides)
        for _ in range(arguments.rounds):
            for side in sides:
                side.ask(CASES[name], arguments.seconds)
    finally:
        for side in sides:
            side.stop()
    return [record(name, threads, side, sides[0]) for side in sides]


def record(case, threads, side, first):
    """What is kept of one side; the ratios are to the first side."""
    median, fastest = statistics.median(side.samples), min(side.samples)
    return {"case": case, "threads": threads, "side": side.name, "engine": side.engine, "milliseconds": median,
            "fastest": fastest, "samples": len(side.samples), "peak_bytes": side.peak, "waited": side.waited / side.asked,
            "ratio": median / statistics.median(first.samples), "fastest_ratio": fastest / min(first.samples)}


HEADER = f"{'case':16} threads {'side':17} median, ms    fastest samples peak, GiB waited  ratio  fastest"


def row(r):
    return (f"{r['case']:16} {r['threads']:7} {r['side']:17} {r['milliseconds']:10.1f} {r['fastest']:10.1f} {r['samples']:7} "
            f"{r['peak_bytes'] / 2**30:9.2f} {r['waited']:6.0%} {r['ratio']:6.2f} {r['fastest_ratio']:8.2f}")


def machine():
    """What the figures hold for."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), "unknown")
    return {"processor": model, "cores": os.cpu_count(), "date": datetime.date.today().isoformat(), "load": os.getloadavg()[0]}


def list_of(choices, kind=str):
    def parse(text):
        values = [kind(part) for part in text.split(",")]
        unknown = [value for value in values if choices and value not in choices]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown} not among {', '.join(choices)}")
        return values
    return parse


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", help="our server's command; {threads} in it is replaced. Without it only PyTorch runs")
    parser.add_argument("--cases", type=list_of(CASES), default=[name for name in CASES if not name.startswith("quick")],
                        help=f"some of {', '.join(CASES)}, with commas (all but the quick ones)")
    parser.add_argument("--threads", type=list_of(None, int), default=[1, 2], help="numbers of threads, with commas (1,2)")
    parser.add_argument("--environments", type=list_of(ENVIRONMENTS), default=list(ENVIRONMENTS),
                        help="default,best or one of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="time per request; each measures at least one step")
    parser.add_argument("--python", default="/usr/bin/python3", help="the Python that has PyTorch")
    parser.add_argument("--json", type=pathlib.Path, help="also write the records and the machine here")
    arguments = parser.parse_args()
    print(HEADER)
    records = []
    for name in arguments.cases:
        for threads in arguments.threads:
            found = compare(name, threads, arguments)
            print("\n".join(map(row, found)), flush=True)
            records += found
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "records": records}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
