"""Two threads beside one: a training step alone, and with another process that takes one of two cores.

    python benchmarks/threads.py [--turns 3] [--store]

Each measurement is a process of its own, since OpenMP reads its settings once; settings take turns, and the fastest
turn counts. All have the same two cores. Between two parallel regions of a step, a thread without work looks for the
next one so many times (`GOMP_SPINCOUNT`) before it sleeps. --store writes the table of docs/results/speed.md
(docs/results/data/speed-threads.json; then `make figures`). It takes some minutes, and means something on two quiet
cores alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from stored_table import keep

from neurorules import Learner, Series
from neurorules.bench.steps import Work, our_step, poisson
from neurorules.runs.allocator import keep_freed_memory

SPINS = (1_000, 10_000, 30_000, 100_000)
SETTINGS: dict[str, tuple[int, dict[str, str]]] = {
    "one thread": (1, {}),
    "two threads, as OpenMP waits": (2, {}),
    "two threads, asleep at once": (2, {"OMP_WAIT_POLICY": "passive"}),
    **{f"two threads, {spins:,} looks": (2, {"GOMP_SPINCOUNT": str(spins)}) for spins in SPINS},
}
"""Number of threads, and variables of OpenMP, by name."""
CASES = {"sigprop, T = 25": 20, "local_readout, T = 1": 120}
"""Training steps of a turn, by name: Poisson input of which a tenth fires, and images as a constant current."""
WARM, BATCH = 5, 128


def measure(threads: int) -> dict[str, float]:
    """Median milliseconds of a step of each case, in this process."""
    keep_freed_memory()
    torch.set_num_threads(threads)
    spikes, labels = poisson(25, BATCH)
    images = (torch.rand(BATCH, 784) - 0.8).clamp(min=0)  # a fifth of the pixels of MNIST are not zero
    dense = Learner("800", "local_readout", input_shape=(784,), classes=10, steps=1, device="cpu")
    steps = [our_step("sigprop:form=surrogate", Work(spikes, labels)), lambda: dense.step(Series(images, True), labels)]
    found = {}
    for (case, count), step in zip(CASES.items(), steps, strict=True):
        ms = []
        for _ in range(WARM + count):
            started = time.perf_counter()
            step()
            ms.append(1000 * (time.perf_counter() - started))
        found[case] = statistics.median(ms[WARM:])
    return found


@contextmanager
def neighbour(there: bool) -> Iterator[None]:
    """Inside the block another process is busy all the time, if it is to be there."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if there else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def measured(threads: int, variables: Mapping[str, str]) -> dict[str, float]:
    """What a process of its own measures."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, __file__, "--measure", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**kept, **variables})
    result: dict[str, float] = json.loads(done.stdout)
    return result


COLUMNS = ("", "ms alone", "one thread to it", "ms with a neighbour", "to alone")


def table(found: Mapping[tuple[str, bool], list[dict[str, float]]]) -> list[list[str]]:
    """A row for each case and setting: the fastest turn alone and beside a neighbour, and ratios."""
    rows = []
    for case in CASES:
        alone, beside = (
            {name: min(turn[case] for turn in found[name, there]) for name in SETTINGS} for there in (False, True)
        )
        one = alone["one thread"]
        for name in SETTINGS:
            here, with_ = alone[name], beside[name]
            numbers = [f"{here:.1f}", f"{one / here:.2f}", f"{with_:.1f}", f"{with_ / here:.2f}"]
            rows.append([f"{case}: {name}", *numbers])
    return rows


def main() -> None:
    """Measure all settings in turns, and print or store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--measure", type=int, metavar="THREADS", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure)))
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:2]))  # of all that is started from here
    found: dict[tuple[str, bool], list[dict[str, float]]] = {}
    load = os.getloadavg()[0]
    for _ in range(asked.turns):
        for there in (False, True):
            with neighbour(there):
                for name, setting in SETTINGS.items():
                    found.setdefault((name, there), []).append(measured(*setting))
    rows = table(found)
    for row in [COLUMNS, *rows]:
        print("| " + " | ".join(row) + " |")
    if asked.store:
        note = f"two cores; the fastest of {asked.turns} turns; the load average before was {load:.1f}"
        keep("speed-threads", note, COLUMNS, rows)


if __name__ == "__main__":
    main()
