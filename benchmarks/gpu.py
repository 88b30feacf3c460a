"""The CUDA tests, then what a GPU takes for scans, training steps and MNIST; a line a figure, and one JSON file.

    make gpu          (python benchmarks/gpu.py --tests --out runs/gpu.json)

It needs one GPU, torch and Triton, and neither an index nor an environment of its own. The file has the form of
docs/results/data, so that it can be kept there as gpu.json and shown by docs/results/gpu.md. Without a GPU it says so
and ends with exit code 2; with exit code 1 where a test fails or a figure cannot be had.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # no installation is asked for
MOST_WORKERS, TEST_SECONDS = 8, 300
COLUMNS = ["figure", "value", "unit"]


def what_is_missing() -> str | None:
    """What keeps this machine from running it, in one line; None for nothing."""
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed for this Python; name one that has it: make gpu PYTHON=/path/to/python3"
    import torch

    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no CUDA device here, so nothing was run on a GPU"
    return None


def output_of(*words: str) -> str:
    """What a program says, without the end of its line; empty where there is none, or where it fails."""
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def version(package: str) -> str:
    """Version of an installed package, or a word that says that there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def machine(device: str) -> dict[str, str]:
    """Card, driver and versions."""
    import torch

    card = torch.cuda.get_device_name() if device == "cuda" else "no GPU"
    driver = output_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader") if device == "cuda" else ""
    return {
        "card": card, "driver": driver or "unknown", "torch": torch.__version__, "triton": version("triton"),
        "python": sys.version.split()[0],
    }  # fmt: skip


def run_tests() -> dict[str, Any]:
    """Run every test that is marked `cuda`: how many passed, and which failed or were skipped, and why."""
    files = sorted(str(f) for f in (ROOT / "tests").rglob("test_*.py") if "mark.cuda" in f.read_text(encoding="utf-8"))
    words = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-m", "cuda"]
    words += ["-p", "no:cacheprovider", "-p", "no:benchmark", *files]
    if importlib.util.find_spec("xdist") is not None:
        words += ["-n", str(min(MOST_WORKERS, os.cpu_count() or 1))]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    with TemporaryDirectory() as folder:
        report = Path(folder) / "tests.xml"
        words += [f"--junitxml={report}"]
        try:
            done = subprocess.run(
                words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TEST_SECONDS
            )
        except subprocess.TimeoutExpired:
            return {"passed": 0, "failed": [f"the tests took more than {TEST_SECONDS} s"], "skipped": []}
        if not report.exists():
            return {"passed": 0, "failed": [done.stdout[-2000:] + done.stderr[-2000:]], "skipped": []}
        return counted(xml.parse(report).getroot())


def counted(report: xml.Element) -> dict[str, Any]:
    """The tests of a JUnit report: the number that passed, and lines for those that failed or were skipped."""
    found: dict[str, Any] = {"passed": 0, "failed": [], "skipped": []}
    for case in report.iter("testcase"):
        wrong = [case.find(kind) for kind in ("failure", "error")]
        skipped = case.find("skipped")
        if any(part is not None for part in wrong):
            said = next(part.get("message", "") for part in wrong if part is not None)
            found["failed"].append(f"{case.get('name')}: {said[:300]}")
        elif skipped is not None:
            found["skipped"].append(f"{case.get('name')}: {skipped.get('message', '')[:300]}")
        else:
            found["passed"] += 1
    return found


def main() -> int:
    """Test, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/gpu.json"))
    parser.add_argument("--tests", action="store_true", help="run the CUDA tests first")
    parser.add_argument("--data", type=Path, help="folder of the data sets; NEURORULES_DATA if left out")
    parser.add_argument("--small", action="store_true", help=argparse.SUPPRESS)  # on the CPU, to try the script itself
    asked = parser.parse_args()
    missing = None if asked.small else what_is_missing()
    if missing is not None:
        print(missing, file=sys.stderr)
        return 2
    from gpu_figures import LARGE, SMALL, figures

    device = "cpu" if asked.small else "cuda"
    about = machine(device)
    print(", ".join(f"{key} {value}" for key, value in about.items()), flush=True)
    tests = run_tests() if asked.tests else None
    if tests is not None:
        print(f"CUDA tests: {tests['passed']} passed, {len(tests['failed'])} failed, {len(tests['skipped'])} skipped")
        print(*(f"  failed: {line}" for line in tests["failed"]), sep="\n")
        print(*(f"  skipped: {line}" for line in tests["skipped"]), sep="\n", flush=True)
    rows, failures = [], []
    for name, value, unit in figures(device, SMALL if asked.small else LARGE, asked.data):
        print(f"{name}: {value} {unit}", flush=True)
        (failures if unit == "failed" else rows).append([name, value, unit])
    commit = output_of("git", "rev-parse", "--short=12", "HEAD") or "unknown"
    content = {
        "command": "make gpu", "commit": commit, "date": datetime.date.today().isoformat(),
        "machine": ", ".join(f"{key} {value}" for key, value in about.items()),
        "note": "medians; a figure that could not be had stands under failures", **about, "tests": tests,
        "failures": failures, "columns": COLUMNS, "rows": rows,
    }  # fmt: skip
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"written: {asked.out}")
    return 1 if failures or (tests is not None and tests["failed"]) else 0


if __name__ == "__main__":
    sys.exit(main())
