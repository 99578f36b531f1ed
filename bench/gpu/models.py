"""The step of measure.py that times whole models against PyTorch, eager and compiled, on the same GPU."""
import statistics
import time

from child import Failed
from kernels import start

ONE, VIDEO = "lavt_one base 12 480", "lavt_video tiny 7 480"
SECONDS, ROUNDS = 1.0, 3
# Work, model, batch; what matters most first, for the time may end.
CASES = [(work + suffix, model, batch) for suffix in ("-bf16", "-tf32", "")
         for work, model, batch in (("forward", ONE, 1), ("train", ONE, 8), ("forward", ONE, 32), ("forward", VIDEO, 1), ("train", VIDEO, 1))]
SMOKE = [("forward", "lavt tiny 7 64", 1)]
AHEAD = 5  # cases that are compiled ahead, beside tests that need memory too


def commands(run):
    torch = [run.python, run.peers / "torch_server.py", "--threads", "8", "--device", run.torch_device]
    sides = [("ours", [run.app / "lavt", "bench", "serve", "--device", "cuda"]), ("torch", torch)]
    return sides if run.smoke else [*sides, ("torch.compile", [*torch, "--compile"])]


def warm_up(run):
    """Compiles PyTorch's models beside the steps that time nothing: the results come into its cache. A process for each case."""
    compiled = commands(run)[-1][1]
    return [run.programs.background(compiled, f"{work} {model} {batch} 0\nquit\n") for work, model, batch in CASES[:AHEAD]]


def measure(run):
    """One record per case and side: the median step, pictures per second, the peak of its tensors' memory, its ratio to ours."""
    records = run.results["models"] = []
    sides = start(run, commands(run))
    try:
        for work, model, batch in SMOKE if run.smoke else CASES:
            samples, peaks, errors = {}, {}, {}
            for turn in range(1 if run.smoke else ROUNDS):
                for side in [side for side in sides if side.is_alive and side.name not in errors]:
                    if run.left() < 10:
                        errors.setdefault(side.name, "no time was left")
                        continue
                    try:
                        # The first request makes and compiles the model.
                        answer = side.ask(f"{work} {model} {batch} {0 if run.smoke else SECONDS}", min(90 if turn == 0 else 30, run.left()))
                        samples.setdefault(side.name, []).extend(answer["milliseconds"])
                        peaks[side.name] = answer["peak_bytes"]
                    except Failed as failure:
                        errors[side.name] = str(failure)
            records += records_of(work, model, batch, samples, peaks, errors)
            run.save()
            sides = revived(run, sides)
        wrong = [f"{r['work']} {r['model']} batch {r['batch']}: {r['error']}" for r in records if r["side"] == "ours" and "error" in r]
        if wrong or not sides:
            raise Failed("\n".join(wrong) or "no side could be started")
    finally:
        for side in sides:
            side.stop()


def revived(run, sides):
    """Sides that ended at an error are started again for the next case."""
    ended = {side.name for side in sides if not side.is_alive}
    if not ended or run.left() < 20:
        return sides
    return [side for side in sides if side.is_alive] + start(run, [command for command in commands(run) if command[0] in ended])


def records_of(work, model, batch, samples, peaks, errors):
    records = []
    for side in dict.fromkeys([*samples, *errors]):
        record = {"work": work, "model": model, "batch": batch, "side": side}
        if side in samples:
            middle = record["milliseconds"] = statistics.median(samples[side])
            record |= {"fastest": min(samples[side]), "samples": len(samples[side]), "per_second": 1e3 * batch / middle, "peak_bytes": peaks[side]}
            if "ours" in samples:
                record["ratio"] = middle / statistics.median(samples["ours"])
        if side in errors:
            record["error"] = errors[side]
        records.append(record)
    return records


def wait(run, processes, limit):
    """Until what `warm_up` started has ended, or the time is over."""
    end = time.monotonic() + limit
    while any(process.poll() is None for process in processes) and time.monotonic() < end:
        time.sleep(0.5)
    run.note(f"compiled ahead: {sum(process.poll() == 0 for process in processes)} of {len(processes)} models of PyTorch")
