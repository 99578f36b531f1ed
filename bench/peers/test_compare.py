"""Tests of what compare.py computes, with children that answer at once: python3 -m unittest discover -s bench/peers."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import targets
from sides import SIDES

COMPARE = pathlib.Path(__file__).with_name("compare.py")
CHILD = """
import json, os, sys
threads = int(sys.argv[1])
print(json.dumps({"ready": "child"}), flush=True)
for line in sys.stdin:
    if line.strip() == "quit":
        break
    work, *_, batch, seconds = line.split()
    slow = 300 if os.environ.get("DOTNET_EnableAVX512") == "0" else 200
    answer = {"error": "no bf16 here"} if work == "forward-bf16" else {
        "milliseconds": [slow * int(batch) / threads + late for late in (0, 9000, -1)], "peak_bytes": 1 << 30}
    print(json.dumps(answer), flush=True)
"""


class Compare(unittest.TestCase):
    def run_compare(self, *options):
        """The exit status, what compare.py says, and the JSON it writes, with CHILD as our side."""
        with tempfile.TemporaryDirectory() as folder:
            child, found = pathlib.Path(folder, "child.py"), pathlib.Path(folder, "found.json")
            child.write_text(CHILD)
            ours = f"{sys.executable} {child} {{threads}}"
            process = subprocess.run(
                [sys.executable, COMPARE, "--ours", ours, "--rounds", "2", "--seconds", "0", "--json", found, *options],
                capture_output=True, text=True)
            return process.returncode, process.stdout + process.stderr, json.loads(found.read_text()) if found.exists() else None

    def test_records_have_medians_ratios_and_pictures_per_second(self):
        status, _, found = self.run_compare("--cases", "one-base-480-batch-8", "--threads", "2", "--sides", "ours,ours-avx2")
        self.assertEqual(0, status)
        first, second = found["records"]
        self.assertEqual(("ours", 800, 799, 100, 10, 6), tuple(first[key] for key in (
            "side", "milliseconds", "fastest", "milliseconds_per_picture", "pictures_per_second", "samples")))
        self.assertEqual(("ours-avx2", 1200, 1.5), (second["side"], second["milliseconds"], second["ratio"]))

    def test_targets_are_judged_by_the_sides_that_were_measured_together(self):
        status, text, found = self.run_compare("--targets", "batch,two-threads,four-threads")
        self.assertEqual(0, status)
        self.assertEqual({"batch": 1.0, "two-threads": 0.5, "four-threads": 0.5}, {t["target"]: t["measured"] for t in found["targets"]})
        self.assertTrue(all(t["met"] for t in found["targets"]))
        self.assertNotIn("MISSED", text)

    def test_a_side_that_cannot_answer_is_named(self):
        status, text, found = self.run_compare("--cases", "quick-bf16", "--threads", "1", "--sides", "ours")
        self.assertEqual((1, None), (status, found))
        self.assertIn("no bf16 here", text)


class Targets(unittest.TestCase):
    def test_a_bound_is_met_when_it_is_reached_exactly(self):
        target = targets.TARGETS["train-memory"]
        records = [{"side": who.side, "case": who.case, "threads": who.threads, "peak_bytes": peak}
                   for who, peak in ((target.one, 2), (target.other, 3))]
        self.assertTrue(target.judge(records)["met"])
        records[0]["peak_bytes"] = 2.01
        self.assertFalse(target.judge(records)["met"])

    def test_another_peer_replaces_pytorch_at_its_best_only(self):
        chosen = targets.choose(["fp32", "two-threads"], "torch-default")
        self.assertEqual(["torch-default", "ours"], [target.other.side for target in chosen])

    def test_targets_name_sides_that_exist(self):
        for target in targets.TARGETS.values():
            self.assertLessEqual({target.one.side, target.other.side}, set(SIDES))


if __name__ == "__main__":
    unittest.main()
