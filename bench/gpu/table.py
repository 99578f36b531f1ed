"""results.json as tables in Markdown."""


def write(results):
    parts = [f"# Lavt on a GPU, {results['date']}, {results['version']}{' (smoke run: figures mean nothing)' if results['smoke'] else ''}\n", machine(results)]
    parts += [section(results) for section in (steps, compiled, tests, golden, kernels, models, demo)]
    return "\n".join(part for part in parts if part)


def rows(header, lines):
    marks = ["---" if i == 0 else "---:" for i in range(len(header))]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in [header, marks, *lines]) + "\n"


def quoted(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


def number(value, digits=2):
    return "" if value is None else f"{value:.{digits}f}"


def machine(results):
    found = results.get("machine")
    if not found:
        return ""
    return quoted("\n".join([*(line for line in found["lavt"] if line.startswith(("runtime", "processor", "GPU", "NVRTC", "cuda:", " "))),
                             f"nvidia-smi          {found['nvidia-smi']}", f"PyTorch             {found['torch']}"]))


def steps(results):
    text = "## Steps\n\n" + rows(["step", "status", "s"], [[row["step"], row["status"], row["seconds"]] for row in results["steps"]])
    text += "".join(f"\n{row['step']}:\n\n{quoted(row['words'])}" for row in results["steps"] if "words" in row)
    return text + "".join(f"\n{note}\n" for note in results["notes"])


def compiled(results):
    if not results.get("compile"):
        return ""
    lines = [[line["source"], number(line["seconds"]), max((k["registers"] for k in line["kernels"]), default=""),
              ", ".join(f"{k['name']} {k['spilled_bytes']}" for k in line["kernels"] if k["spilled_bytes"]), "yes" if not line["error"] else "NO"]
             for line in results["compile"]]
    return "## Compiling by NVRTC\n\n" + rows(["source", "s", "registers at most", "local bytes per thread", "compiles and loads"], lines)


def tests(results):
    if "tests" not in results:
        return ""
    text = "## Tests\n\n" + rows(["class", "passed", "failed", "skipped"], [[r["class"], r["passed"], r["failed"], r["skipped"]] for r in results["tests"]])
    return text + "".join(f"\n{r['class']}:\n\n{quoted(r['words'])}" for r in results["tests"] if "words" in r)


def golden(results):
    if "golden" not in results:
        return ""
    lines = [[r["precision"], r["passed"], r["failed"], number(r["least_iou"], 5)] for r in results["golden"]]
    text = "## Golden models\n\n" + rows(["precision", "passed", "failed", "least IoU with float32"], lines)
    return text + "".join(f"\n{quoted(failure)}" for r in results["golden"] for failure in r["failures"])


def kernels(results):
    if "kernels" not in results:
        return ""
    copy = next((r.get("ours_gb_s") for r in results["kernels"] if r["operation"] == "copy"), None)
    lines = []
    for r in results["kernels"]:
        share = r["ours_gb_s"] / copy if copy and "ours_gb_s" in r else None
        lines.append([r["operation"], r["precision"], r["sizes"], number(r.get("ours_ms"), 4), number(r.get("ours_tflop_s"), 1), number(r.get("ours_gb_s"), 0),
                      "" if share is None else f"{share:.0%}", number(r.get("torch_ms"), 4), number(r.get("torch_tflop_s"), 1), number(r.get("ratio"))])
    return "## Operations\n\n" + rows(["operation", "precision", "sizes", "ours, ms", "TFLOP/s", "GB/s", "of the copy rate", "PyTorch, ms", "TFLOP/s", "PyTorch / ours"], lines)


def models(results):
    if "models" not in results:
        return ""
    lines = [[r["work"], r["model"], r["batch"], r["side"], number(r.get("milliseconds")), number(r.get("per_second"), 1),
              number(r["peak_bytes"] / 2**30) if "peak_bytes" in r else "", number(r.get("ratio")), r.get("error", "").split("\n")[0][:120]] for r in results["models"]]
    return "## Whole models\n\n" + rows(["work", "model", "batch", "side", "median, ms", "per second", "peak, GiB", "side / ours", "what failed"], lines)


def demo(results):
    return "## A small training\n\n" + "\n".join(quoted(text) for text in results["demo"].values()) if "demo" in results else ""
