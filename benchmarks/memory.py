"""Memory by which training steps grow a process, its input apart: against T, and of a deep net beside BPTT.

    python benchmarks/memory.py [--json]

Each number is the growth of the resident set over two training steps, in a process of its own with one thread (of
Linux). It depends on no other process, so it may be measured on a busy machine. Layers have 1000 neurons, batches 128.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import torch

from neurorules.bench.peers import snntorch_step
from neurorules.bench.steps import Step, Work, our_step, poisson
from neurorules.runs.allocator import keep_freed_memory

BATCH, WIDTH = 128, 1000
BY_STEP, BY_LAYER, OWN, PEER = "sigprop by_step", "sigprop by_layer", "bptt", "snnTorch BPTT"
CASES = [
    *((BY_STEP, 1, steps) for steps in (25, 100, 1000)),
    *((system, 5, 100) for system in (BY_STEP, BY_LAYER, OWN, PEER)),
]
"""System, hidden layers, T."""


def resident_mb(which: str) -> float:
    """VmRSS (now) or VmHWM (the most so far) of this process in MB."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(float(line.split()[1]) for line in file if line.startswith(which)) / 1024


def grow(system: str, depth: int, steps: int) -> float:
    """MB by which two training steps raise the peak of this process."""

    def make(work: Work) -> Step:
        if system == PEER:
            return snntorch_step(work)
        return our_step("bptt", work) if system == OWN else our_step("sigprop", work, system.partition(" ")[2])

    hidden = (WIDTH,) * depth
    make(Work(*poisson(2, BATCH), hidden))()  # libraries and kernels are loaded, optimisers allocated
    step = make(Work(*poisson(steps, BATCH), hidden))
    before = resident_mb("VmRSS")
    step(), step()
    return resident_mb("VmHWM") - before


def main() -> None:
    """Measure each case in a process of its own, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--grow", nargs=3, metavar=("SYSTEM", "DEPTH", "T"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.grow:
        torch.set_num_threads(1)
        keep_freed_memory()
        print(grow(asked.grow[0], int(asked.grow[1]), int(asked.grow[2])))
        return
    rows = []
    for case in CASES:
        command = [sys.executable, __file__, "--grow", *map(str, case)]
        rows.append((*case, float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)))
        if not asked.json:
            print("{}, {} hidden layers, T = {}: {:.0f} MB".format(*rows[-1]), flush=True)
    if asked.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
