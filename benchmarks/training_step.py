"""Time and memory of one training step, beside bare matrix products and snnTorch.

    python benchmarks/training_step.py [--repetitions 9] [--threads N] [--no-memory] [--json]

Milliseconds mean little on a shared machine, so the systems take turns and ratios of medians are printed. Memory is
the growth of the resident set over a step, its input apart, each measurement in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from statistics import median

import torch
from systems import ours, poisson, show, snntorch_step, systems

from neurorules.runs.allocator import keep_freed_memory

STEPS, BATCH, LONG = 25, 128, 400
BY_STEP, PEER = "sigprop by_step", "snnTorch BPTT"


def times(repetitions: int, steps: int = STEPS, batch: int = BATCH) -> dict[str, list[float]]:
    """Seconds a step, by system; the systems take turns."""
    made = systems(*poisson(steps, batch))
    for step in made.values():
        step(), step()
    found: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(repetitions):
        for name, step in made.items():
            started = time.perf_counter()
            step()
            found[name].append(time.perf_counter() - started)
    return found


def ratios(found: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median milliseconds of each system, and its ratio to the bare products and to snnTorch."""
    middle = {name: median(values) for name, values in found.items()}
    return {
        name: {
            "ms": 1000 * value,
            "to_products": value / middle["bare products"],
            "to_snntorch": value / middle[PEER],
        }
        for name, value in middle.items()
    }


def resident_mb(which: str) -> float:
    """VmRSS (now) or VmHWM (the most so far) of this process in MB; of Linux. getrusage would hand on the parent's."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(float(line.split()[1]) for line in file if line.startswith(which)) / 1024


def grow(system: str, steps: int) -> float:
    """MB by which two training steps of T = `steps` raise the peak of this process."""
    make = snntorch_step if system == PEER else lambda s, y: ours("sigprop:form=surrogate", s, y, "by_step")
    make(*poisson(2, BATCH))()  # libraries and kernels are loaded, optimisers allocated
    step = make(*poisson(steps, BATCH))
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--grow", nargs=2, metavar=("SYSTEM", "T"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_freed_memory()
    if asked.grow:
        print(grow(asked.grow[0], int(asked.grow[1])))
        return
    speed = ratios(times(asked.repetitions))
    memory = {} if asked.no_memory else growth()
    if asked.json:
        print(json.dumps({"speed": speed, "memory_growth_mb": memory, "threads": asked.threads}))
        return
    show(speed)
    if memory:
        print("memory growth, MB")
        show(memory)


if __name__ == "__main__":
    main()
