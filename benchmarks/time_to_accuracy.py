"""Time to an accuracy on MNIST by a local rule: seconds of learning, and from the command to the result.

    python benchmarks/time_to_accuracy.py [--goals 97,98,98.5] [--seed 0] [--threads N] [--json]

Each row is one `neurorules train` in a process of its own. Its recipe was chosen on validation samples, other seeds;
the test set is read once, after the last epoch, and what it says is shown whether it meets the goal or not. Seconds of
the processor are those of the whole command, threads together, and say most where others share the cores.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

QUICK = ("--lr", "5e-3", "--optimizer", "adam:beta2=0.98")
RECIPES: dict[str, tuple[str, ...]] = {
    "97": ("--net", "800", "--steps", "1", "--epochs", "1", *QUICK),
    "98": ("--net", "800", "--steps", "1", "--epochs", "3", *QUICK),
    "98.5": ("--net", "1500-d0.3", "--steps", "1", "--epochs", "7", *QUICK),
}
"""Options of the command, by the accuracy that they are for, in per cent."""
RULE = ("--rule", "local_readout", "--data", "mnist")


def measure(goal: str, seed: int, threads: int | None) -> dict[str, Any]:
    """Train by the recipe of a goal; the figures of its row."""
    options = [*RULE, *RECIPES[goal], "--seed", str(seed), *(() if threads is None else ("--threads", str(threads)))]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "neurorules", "train", *options, "--out", f"{folder}/run", "--json"]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "goal %": goal, "command": f"neurorules train {' '.join(options)}",
        "rule": result["rule"], "net": result["net"], "steps": result["steps"], "batch": result["batch_size"],
        "epochs": result["epochs"], "test %": 100 * result["test_accuracy"],
        "validation %": 100 * result["validation_accuracy"], "s of learning": result["train_seconds"],
        "s from the command": time.perf_counter() - began,
        "processor s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }  # fmt: skip


def main() -> None:
    """Train by the recipe of each goal, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--goals", default=",".join(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    for goal in asked.goals.split(","):
        row = measure(goal, asked.seed, asked.threads)
        if asked.json:
            print(json.dumps(row), flush=True)
            continue
        words = [
            f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()
        ]
        print(", ".join(words), flush=True)


if __name__ == "__main__":
    main()
