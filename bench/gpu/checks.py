"""The steps of measure.py that check: what the machine has, every kernel compiled, tests, golden numbers, a small training."""
import json
import re

from child import Failed, tail

WITHOUT_GPU = "ClangTests", "PtxLintTests", "PlantedFaultTests"  # these look at sources
MOST_FAILURES = 12  # of a class that are written down
GOLDEN_SMOKE = "tests/golden/modules/pwam_2d_heads1.safetensors"
ROUNDED_GOLDEN = "lavt_one_base_w12_480.safetensors", "lavt_video_tiny_t8_224.safetensors"
SMALL_MODEL = ("--model lavt_one --embed_dim 24 --depths 2-2-2-2 --heads 1-2-4-8 --window 5 --drop_path 0 --ck_bert none --bert_hidden 64 "
               "--bert_layers 2 --bert_heads 4 --bert_intermediate 256 --bert_positions 20 --bert_dropout 0 "
               "--lang_enc_params embeddings+encoder-all --loss mc_dice --lr 1e-3 --batch-size 16 --img_size 80 --workers 2 --keep 0 --print-freq 10")


def doctor(run):
    """What the programs and PyTorch find on the machine."""
    found = {"lavt": run.programs.succeed([run.app / "lavt", "doctor"], run.left()).splitlines(), "nvidia-smi": "not installed"}
    if run.has("nvidia-smi"):
        query = "--query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit"
        found["nvidia-smi"] = run.programs.run(["nvidia-smi", query, "--format=csv,noheader"], 20)[1].strip()
    status, output = run.programs.run([run.python, "-c", "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())"], run.left())
    found["torch"] = output.strip().splitlines()[-1] if status == 0 else tail(output)
    run.results["machine"] = found
    if not any("compiled and computes right" in line for line in found["lavt"]):
        raise Failed("no GPU computes here:\n" + "\n".join(found["lavt"]))


def compile_kernels(run):
    """NVRTC's time for each source, registers and spilled memory of each kernel; errors of all sources at once."""
    status, output = run.programs.run([run.app / "Lavt.GpuBench", "compile"], run.left())
    lines = run.results["compile"] = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    wrong = [f"{line['source']}: {line['error']}" for line in lines if line["error"]]
    if wrong or status != 0:
        raise Failed("\n".join(wrong) or tail(output))


def tests(run):
    """Every class of GPU tests in a process of its own, for after an error of one kernel a process's GPU is unusable."""
    program = run.app / "Lavt.Tests"
    listed = run.programs.succeed([program, "-noColor", "-list", "classes", "-namespace", "Lavt.Tests.Cuda"], run.left())
    rows = run.results["tests"] = []
    for name in re.findall(r"^Lavt\.Tests\.Cuda\.(\w+)$", listed, re.MULTILINE):
        if name in WITHOUT_GPU or run.smoke and name not in ("OpsOnGpuTests", "DriverTests"):
            continue
        command, variables = [program, "-noColor", "-class", f"Lavt.Tests.Cuda.{name}"], {"LAVT_TEST_GPU": "1"} | ({"LAVT_TEST_OPS": "Linear"} if run.smoke else {})
        status, output = run.programs.run(command, run.left(), **variables)
        rows.append(outcome(name, status, output))
        run.save()
        if "words" in rows[-1] and run.left() > 20:  # with a wait behind every launch the log names the kernel that went wrong
            run.programs.run([*command, "-stopOnFail"], min(20, run.left()), LAVT_CUDA_SYNC="1", **variables)
    bad = [row["class"] for row in rows if "words" in row]
    if bad:
        raise Failed(f"failures in {', '.join(bad)}")


def outcome(name, status, output):
    """The row of a class of tests: how many passed, and the first failures with their messages."""
    totals = re.search(r"Total: (\d+), Errors: (\d+), Failed: (\d+), Skipped: (\d+)", output)
    total, errors, failed, skipped = (int(n) for n in totals.groups()) if totals else (0, 1, 0, 0)
    row = {"class": name, "passed": total - failed - skipped, "failed": failed + errors, "skipped": skipped}
    if not totals:
        row["words"] = f"did not finish (status {status}):\n{tail(output)}"
    elif status != 0:
        found = re.findall(r"^ *(?:Lavt\.Tests\.Cuda\.)?(.+) \[FAIL\]\n((?:.*\S.*\n){1,3})", output, re.MULTILINE)
        row["words"] = "\n".join(f"{test}\n{message.rstrip()}" for test, message in found[:MOST_FAILURES])
    return row


def golden(run):
    """Whole models against the published code's numbers; masks of lower precisions against float32's, for a picture and a clip."""
    rows = run.results["golden"] = []
    # Rounded, only whole models have something to be compared with; they are too large for a trial.
    for precision, names in [("fp32", [""])] + [(precision, ROUNDED_GOLDEN) for precision in ("bf16", "tf32", "fp16") if not run.smoke]:
        found = [golden_run(run, run.root / (GOLDEN_SMOKE if run.smoke else f"tests/golden/full/{name}"), precision) for name in names]
        overlaps = [overlap for one in found for overlap in one["overlaps"]]
        rows.append({"precision": precision, "passed": sum(one["passed"] for one in found), "failed": sum(one["failed"] for one in found),
                     "least_iou": min(overlaps, default=None), "failures": [failure for one in found for failure in one["failures"]]})
        run.save()
    if any(row["failed"] for row in rows):
        raise Failed("\n".join(failure for row in rows for failure in row["failures"]))


def golden_run(run, path, precision):
    """What `lavt golden` says of a file or folder on the GPU."""
    status, output = run.programs.run([run.app / "lavt", "golden", path, "--device", "cuda", "--precision", precision, "--verbose"], run.left())
    summary = re.search(r"(\d+) passed, (\d+) failed", output)
    if not summary:
        return {"passed": 0, "failed": 1, "overlaps": [], "failures": [f"{path.name} in {precision} did not finish (status {status}):\n{tail(output)}"]}
    return {"passed": int(summary[1]), "failed": int(summary[2]), "overlaps": [float(value) for value in re.findall(r"IoU ([\d.]+)", output)],
            "failures": re.findall(r"^FAIL .*$", output, re.MULTILINE)[:MOST_FAILURES]}


def demo(run):
    """A small model trained on the drawn scenes and evaluated, by the command line."""
    folder = run.work / "demo"
    run.programs.succeed([run.app / "lavt", "data", "demo", "--out", folder / "data"], run.left())
    where = ["--dataset", "refcoco", "--splitBy", "unc", "--refer_data_root", folder / "data", "--bert_tokenizer", folder / "data", "--device", "cuda"]
    words = len((folder / "data" / "vocab.txt").read_text(encoding="utf-8").splitlines())
    few = ["--limit-train", "16", "--limit-val", "2", "--epochs", "1"] if run.smoke else ["--epochs", "2"]
    output = run.programs.succeed(
        [run.app / "lavt-train", *SMALL_MODEL.split(), "--bert_vocabulary", words, "--model_id", "demo", "--output-dir", folder / "checkpoints", *few, *where], run.left())
    run.results["demo"] = {"training": tail(output)}
    weights = folder / "checkpoints" / "model_best_demo.pth"
    evaluated = run.programs.succeed([run.app / "lavt-eval", "--resume", weights, "--split", "val", "--batch-size", "16", *few[2:4 if run.smoke else 2], *where], run.left())
    run.results["demo"]["evaluation"] = tail(evaluated)
