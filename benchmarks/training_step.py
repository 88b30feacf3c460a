"""Time and memory of one training step, beside bare matrix products and snnTorch.

    python benchmarks/training_step.py [--repetitions 9] [--threads N] [--no-memory] [--json]

Times are those of `neurorules bench`, whose systems take turns. Memory is the growth of the resident set over a step,
its input apart, each measurement in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import torch

from neurorules.bench.measure import BESIDE, measure, plan
from neurorules.bench.page import about, busy
from neurorules.bench.peers import snntorch_step
from neurorules.bench.steps import Work, our_step, poisson
from neurorules.commands.output import print_table
from neurorules.runs.allocator import keep_freed_memory

RULES = "bptt,sigprop:form=surrogate,sigprop:form=voltage,dfa,local_readout"
STEPS, BATCH, LONG = 25, 128, 400
BY_STEP, PEER = "sigprop by_step", "snnTorch BPTT"


def resident_mb(which: str) -> float:
    """VmRSS (now) or VmHWM (the most so far) of this process in MB; of Linux. getrusage would hand on the parent's."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(float(line.split()[1]) for line in file if line.startswith(which)) / 1024


def grow(system: str, steps: int) -> float:
    """MB by which two training steps of T = `steps` raise the peak of this process."""
    make = snntorch_step if system == PEER else lambda work: our_step("sigprop:form=surrogate", work, "by_step")
    make(Work(*poisson(2, BATCH)))()  # libraries and kernels are loaded, optimisers allocated
    step = make(Work(*poisson(steps, BATCH)))
    before = resident_mb("VmRSS")
    step(), step()
    return resident_mb("VmHWM") - before


def growth() -> dict[str, dict[str, float]]:
    """Growth in MB at T = 25 and T = 400 and their ratio, by system; each in a process of its own."""
    found: dict[str, dict[str, float]] = {}
    for system in (BY_STEP, PEER):
        row = {}
        for steps in (STEPS, LONG):
            command = [sys.executable, __file__, "--threads", "1", "--grow", system, str(steps)]
            row[f"T={steps}"] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        found[system] = row | {"ratio": row[f"T={LONG}"] / row[f"T={STEPS}"]}
    return found


def show(table: dict[str, dict[str, float]]) -> None:
    """Print a table of numbers, a row a system."""
    columns = list(next(iter(table.values())))
    print_table(["", *columns], [[name, *(f"{row[column]:.2f}" for column in columns)] for name, row in table.items()])
    print()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--grow", nargs=2, metavar=("SYSTEM", "T"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.grow:
        torch.set_num_threads(asked.threads)
        keep_freed_memory()
        print(grow(asked.grow[0], int(asked.grow[1])))
        return
    found = measure(plan(RULES, "1000", STEPS, BATCH, "0.1", None, "cpu", asked.threads, asked.repetitions))
    (point,) = found["points"]
    speed = {
        name: {"ms": of["ms"]["median"], **{f"to {other}": of["to"][other]["median"] for other in BESIDE}}
        for name, of in point["systems"].items()
    }
    memory = {} if asked.no_memory else growth()
    if asked.json:
        print(json.dumps({"speed": speed, "memory_growth_mb": memory, "measured": found}))
        return
    show(speed)
    print(about(found), busy(found), sep="\n")
    if memory:
        print("\nmemory growth, MB")
        show(memory)


if __name__ == "__main__":
    main()
