"""Tests of what measure.py does with programs that fail, hang or are missing: python3 -m unittest discover -s bench/gpu."""
import contextlib
import io
import pathlib
import sys
import tempfile
import time
import types
import unittest
import unittest.mock

import checks
import kernels
import measure
import models
import table
from child import Child, Failed, Programs

SERVER = """
import json, sys, time
print("a library says hello")
print(json.dumps({"ready": "stand-in"}), flush=True)
for line in sys.stdin:
    if line.startswith("hang"): time.sleep(60)
    if line.startswith("die"): print("out of luck", file=sys.stderr, flush=True); sys.exit(3)
    work, *_ = line.split()
    print(json.dumps({"error": "cannot"} if "bf16" in work else {"milliseconds": [2.0, 4.0, 3.0], "bytes": 6000000, "peak_bytes": 1 << 30}), flush=True)
"""


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.programs = Programs(self.folder / "log.txt", {}, self.folder)
        self.server = [sys.executable, "-c", SERVER]

    def run_of(self, results=None):
        """What a step is given, with the stand-in as every program."""
        run = types.SimpleNamespace(programs=self.programs, results=results if results is not None else {}, smoke=True, save=lambda: None, notes=[],
                                    left=lambda: 30, app=self.folder, peers=self.folder, python=sys.executable, torch_device="cpu")
        run.note = run.notes.append
        return run


class ProgramsTests(WithFolder):
    def test_a_program_that_hangs_is_stopped_with_what_it_started(self):
        started = time.monotonic()
        status, output = self.programs.run(["/bin/sh", "-c", "echo before; sleep 60 & sleep 60"], 1)
        self.assertIsNone(status)
        self.assertIn("before", output)
        self.assertLess(time.monotonic() - started, 10)

    def test_a_failure_has_the_last_words(self):
        with self.assertRaisesRegex(Failed, "ended with status 7:\nno such thing"):
            self.programs.succeed(["/bin/sh", "-c", "echo no such thing; exit 7"], 5)
        self.assertIn("no such thing", self.programs.log.read_text())


class ChildTests(WithFolder):
    def child(self):
        child = Child(self.programs, "side", self.server, 10)
        self.addCleanup(child.stop)
        return child

    def test_answers_come_one_by_one_and_errors_leave_the_child_alive(self):
        child = self.child()
        self.assertEqual("stand-in", child.engine)
        with self.assertRaisesRegex(Failed, "side: cannot"):
            child.ask("linear-bf16 1", 10)
        self.assertEqual([2.0, 4.0, 3.0], child.ask("linear 1", 10)["milliseconds"])

    def test_a_child_that_dies_says_why(self):
        with self.assertRaisesRegex(Failed, "status 3 at 'die'\nout of luck"):
            self.child().ask("die", 10)

    def test_a_child_that_hangs_is_ended(self):
        child = self.child()
        with self.assertRaisesRegex(Failed, "no answer to 'hang' within 1 s"):
            child.ask("hang", 1)
        self.assertFalse(child.is_alive)


class StepTests(WithFolder):
    def test_kernels_are_judged_by_medians(self):
        record = kernels.judged({"ours_bytes": 6e6, "torch_bytes": 6e6}, {"ours": [2, 4, 3], "torch": [6, 6, 9]}, kernels.operations("linear", "100x30x1000"))
        self.assertEqual((3, 6, 2.0, 2.0), (record["ours_ms"], record["torch_ms"], record["ours_gb_s"], record["ratio"]))
        self.assertAlmostEqual(2 * 100 * 30 * 1000 / 3e-3 / 1e12, record["ours_tflop_s"])
        self.assertEqual(27 * 2 * 2 * 3 * 16 * 5 * 7, kernels.operations("convolution", "2x3x4x5x7"))
        self.assertEqual(3 * kernels.operations("linear", "2x3x4"), kernels.operations("linear-training", "2x3x4"))

    def test_models_keep_what_could_be_measured(self):
        run = self.run_of()
        sides = [("ours", self.server), ("torch", self.server), ("gone", [sys.executable, "-c", "raise SystemExit('no PyTorch')"])]
        cases = [("forward", "m s 7 8", 4), ("forward-bf16", "m s 7 8", 1), ("die", "m s 7 8", 1), ("train", "m s 7 8", 1)]
        with unittest.mock.patch.multiple(models, commands=lambda run: sides, SMOKE=cases):
            with self.assertRaisesRegex(Failed, "forward-bf16 m s 7 8 batch 1: ours: cannot"):
                models.measure(run)
        records = {(r["work"], r["side"]): r for r in run.results["models"]}
        self.assertEqual((3.0, 4e3 / 3, 1.0), tuple(records["forward", "torch"][key] for key in ("milliseconds", "per_second", "ratio")))
        self.assertIn("out of luck", records["die", "torch"]["error"])
        self.assertEqual(3.0, records["train", "ours"]["milliseconds"])  # it was started again
        self.assertIn("no PyTorch", run.notes[0])

    def test_tests_that_fail_are_named_with_their_messages(self):
        output = "  Lavt.Tests.Cuda.OpsOnGpuTests.On_the_GPU(index: 3) [FAIL]\n    result: 1, expected 2\n    Stack Trace:\n\nTotal: 5, Errors: 0, Failed: 1, Skipped: 1, Not Run: 0\n"
        row = checks.outcome("OpsOnGpuTests", 1, output)
        self.assertEqual((3, 1, 1), (row["passed"], row["failed"], row["skipped"]))
        self.assertTrue(row["words"].startswith("OpsOnGpuTests.On_the_GPU(index: 3)\n    result: 1, expected 2"))
        self.assertIn("did not finish (status -11)", checks.outcome("OpsOnGpuTests", -11, "Starting")["words"])

    def test_a_step_that_fails_costs_no_other(self):
        def wrong(run):
            raise Failed("no GPU") if run else None

        def broken(run):
            return run.nothing

        steps = {"doctor": (wrong, 20), "compile": (broken, 20), "tests": (lambda run: run.results.update(tests=[]), 20)}
        arguments = ["measure.py", "--out", str(self.folder / "out"), "--only", "doctor,compile,tests"]
        with unittest.mock.patch.object(measure, "STEPS", steps), unittest.mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(1, measure.main())
        text = (self.folder / "out" / "results.md").read_text()
        for words in ("| doctor | failed |", "    no GPU", "AttributeError", "| tests | ok |"):
            self.assertIn(words, text)

    def test_a_table_is_made_of_whatever_there_is(self):
        results = {"date": "today", "version": "1", "smoke": False, "steps": [], "notes": ["slow"], "kernels": [{"operation": "copy", "precision": "fp32", "sizes": "1", "ours_error": "x"}],
                   "models": [{"work": "train", "model": "m", "batch": 1, "side": "ours", "error": "first line\nsecond"}]}
        text = table.write(results)
        self.assertIn("slow", text)
        self.assertIn("| first line |", text)


if __name__ == "__main__":
    unittest.main()
