"""The programs that compare.py measures: child processes that answer the requests of bench/README.md, each in its environment."""
import contextlib
import datetime
import json
import os
import pathlib
import shlex
import subprocess
import time

SERVER = pathlib.Path(__file__).with_name("torch_server.py")
OPENMP_BLAS = pathlib.Path("/usr/lib/x86_64-linux-gnu/openblas-openmp")
CONTROLLED = ("OMP_", "OPENBLAS_", "GOMP_", "MALLOC_", "ATEN_", "DNNL_", "DOTNET_Enable")


def processor_flags():
    info = pathlib.Path("/proc/cpuinfo")
    return info.read_text() if info.exists() else ""


def machine():
    """What the figures hold for."""
    lines = processor_flags().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {"processor": model, "cores": os.cpu_count(), "date": datetime.date.today().isoformat(), "load": os.getloadavg()[0]}


def passive_environment():
    """The well-known settings: OpenBLAS' AVX-512 kernels where the processor has them, for it does not know new AMD processors, and
    OpenMP threads that do not spin against OpenBLAS' own."""
    return {"OMP_WAIT_POLICY": "PASSIVE"} | ({"OPENBLAS_CORETYPE": "SKYLAKEX"} if "avx512f" in processor_flags() else {})


def best_environment():
    """What makes PyTorch fastest here (figures in bench/README.md): in place of passive threads an OpenBLAS that uses OpenMP's, so that
    there is one pool; and a malloc that keeps what was freed instead of having the system clear it again each time."""
    environment = passive_environment() | {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}
    if OPENMP_BLAS.exists():
        del environment["OMP_WAIT_POLICY"]
        environment["LD_LIBRARY_PATH"] = str(OPENMP_BLAS)
    return environment


AVX2_ONLY = {"ATEN_CPU_CAPABILITY": "avx2", "OPENBLAS_CORETYPE": "HASWELL", "DNNL_MAX_CPU_ISA": "AVX2"}
SIDES = {  # name: what the tables call it, what it adds to the environment
    "ours": ("ours", {}),
    "ours-avx2": ("ours, AVX2 only", {"DOTNET_EnableAVX512": "0"}),
    "torch-default": ("PyTorch as it comes", {}),
    "torch-passive": ("PyTorch, passive", passive_environment()),
    "torch-best": ("PyTorch at its best", best_environment()),
    "torch-avx2": ("PyTorch, AVX2 only", best_environment() | AVX2_ONLY),
}


class Side:
    """One child process that works on one case (a request without its seconds)."""

    def __init__(self, name, case, threads, ours, python):
        self.case = case
        environment = SIDES[name][1]
        self.samples, self.peak = [], 0
        self.asked = self.waited = 0.0
        if name.startswith("ours"):
            self.command = [part.replace("{threads}", str(threads)) for part in shlex.split(ours)]
        else:
            self.command = [python, str(SERVER), "--threads", str(threads)]
            environment = environment | {"OMP_NUM_THREADS": str(threads), "PYTHONDONTWRITEBYTECODE": "1"}
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(CONTROLLED)}
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=inherited | environment)
        self.engine = self._read()["ready"]

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{shlex.join(self.command)} ended with status {self.process.wait()} before it answered")
        answer = json.loads(line)
        if "error" in answer:
            raise SystemExit(f"{shlex.join(self.command)} answered: {answer['error']}")
        return answer

    def ask(self, seconds):
        """One request; its samples are added to this side's."""
        waited, start = self._run_queue_seconds(), time.perf_counter()
        self.process.stdin.write(f"{self.case} {seconds}\n")
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
