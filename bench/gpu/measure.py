"""Tests and measures Lavt on a machine with a GPU, from the archive that bench/gpu/run builds. Results are written after every step.

Steps: doctor, compile (every kernel by NVRTC), tests, golden (whole models), kernels and models (beside PyTorch), demo (a training).
A step that fails is noted with its last words, and the next one begins; each has a time of its own. DIR receives results.json,
results.md and log.txt.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import traceback

import checks
import kernels
import models
import table
from child import Failed, Programs, kill

STEPS = {  # name: what runs, its seconds at most
    "doctor": (checks.doctor, 40), "compile": (checks.compile_kernels, 90), "tests": (checks.tests, 110), "golden": (checks.golden, 70),
    "kernels": (kernels.measure, 60), "models": (models.measure, 230), "demo": (checks.demo, 60)}
SECONDS = 530  # of all steps
COMPILING_AHEAD = 60  # seconds at most that models wait for PyTorch's compiler


class Run:
    """What the steps share."""

    def __init__(self, arguments):
        self.root = pathlib.Path(__file__).resolve().parents[2]
        self.app, self.peers = self.root / "app", self.root / "bench" / "peers"
        self.smoke, self.out, self.python = arguments.smoke, arguments.out.resolve(), sys.executable
        self.torch_device = "cpu" if arguments.smoke else "cuda"
        self.out.mkdir(parents=True, exist_ok=True)
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="lavt-gpu-"))
        log = self.out / "log.txt"
        log.write_text("", encoding="utf-8")
        self.programs = Programs(log, self._environment(), self.work)
        version = self.root / "version"
        self.results = {"version": version.read_text(encoding="utf-8").strip() if version.exists() else "unknown",
                        "date": datetime.date.today().isoformat(), "smoke": self.smoke, "steps": [], "notes": []}
        self.end = time.monotonic() + arguments.seconds
        self.step_end = self.end

    def _environment(self):
        """Ours: .NET's runtime and the libraries of the archive, a cache that is empty, NVRTC among the packages of this Python."""
        environment = dict(os.environ)
        environment.setdefault("HOME", str(self.work))
        environment.setdefault("VIRTUAL_ENV", sys.prefix)
        environment["LD_LIBRARY_PATH"] = ":".join(filter(None, [environment.get("LD_LIBRARY_PATH"), str(self.root / "lib")]))
        return environment | {
            "DOTNET_ROOT": str(self.root / "dotnet"), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "LAVT_KERNEL_CACHE": str(self.work / "kernels"),
            "TORCHINDUCTOR_CACHE_DIR": str(self.work / "inductor"), "TORCHINDUCTOR_COMPILE_THREADS": "8", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}

    def left(self):
        """Seconds until the step must be over."""
        return min(self.step_end, self.end) - time.monotonic()

    def has(self, program):
        return shutil.which(program, path=self.programs.environment.get("PATH")) is not None

    def note(self, text):
        self.results["notes"].append(text)
        self.programs.write(text)

    def save(self):
        (self.out / "results.json").write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")
        (self.out / "results.md").write_text(table.write(self.results), encoding="utf-8")

    def step(self, name, limit):
        """Runs a step and keeps how it went."""
        started = time.monotonic()
        self.step_end = started + limit
        row = {"step": name, "status": "ok"}
        if self.left() < 5:
            row |= {"status": "left out", "words": "no time was left"}
        else:
            try:
                STEPS[name][0](self)
            except Failed as failure:
                row |= {"status": "failed", "words": str(failure)}
            except Exception:  # a fault of the step itself must not cost the others
                row |= {"status": "failed", "words": traceback.format_exc()}
        row["seconds"] = round(time.monotonic() - started, 1)
        self.results["steps"].append(row)
        self.save()
        print(f"{name}: {row['status']}, {row['seconds']} s", flush=True)
        return row["status"] == "ok"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(os.environ.get("OUT", "out")), help="folder of the results ($OUT, or out)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(STEPS), help=f"some of {','.join(STEPS)}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"for all steps ({SECONDS})")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, and PyTorch on the CPU: shows that every step works, on an emulated GPU too")
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(STEPS):
        parser.error(f"no steps are called {', '.join(sorted(unknown))}")
    return arguments


def main():
    arguments = parse_arguments()
    run = Run(arguments)
    chosen = [name for name in STEPS if name in arguments.only]
    compiling, passed = [], True
    try:
        for name in chosen:
            if name == "tests" and "models" in chosen and not run.smoke:
                compiling = models.warm_up(run)
            if name in ("kernels", "models") and compiling:
                models.wait(run, compiling, min(COMPILING_AHEAD, run.end - time.monotonic() - STEPS["models"][1]))
                for process in compiling:
                    kill(process)
                compiling = []
            passed &= run.step(name, STEPS[name][1])
    finally:
        for process in compiling:
            kill(process)
        shutil.rmtree(run.work, ignore_errors=True)
    print(f"{run.out / 'results.md'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
