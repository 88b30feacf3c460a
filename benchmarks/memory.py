"""Memory by which training steps grow a process, its input apart: against T, and of a deep net beside BPTT.

    python benchmarks/memory.py [--json]

Each number is the growth of the resident set over two training steps, in a process of its own with one thread (of
Linux). It depends on no other process, so it may be measured on a busy machine. Layers have 1000 neurons, batches 128.
"""

from __future__ import annotations

import argparse
import json

from neurorules.bench.growth import growth_of

BATCH, WIDTH = 128, 1000
CASES = [
    *(("sigprop", "by_step", 1, steps) for steps in (25, 100, 1000)),
    ("sigprop", "by_step", 5, 100),
    *((system, "by_layer", 5, 100) for system in ("sigprop", "bptt", "snnTorch")),
]
"""System, schedule, hidden layers, T."""


def main() -> None:
    """Measure each case in a process of its own, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = []
    for system, schedule, depth, steps in CASES:
        grown = growth_of(system, (WIDTH,) * depth, steps, BATCH, schedule=schedule)
        rows.append((system, schedule, depth, steps, grown))
        if not asked.json:
            said = "no figure: it did not fit, or is not told" if grown is None else f"{grown:.0f} MB"
            print(f"{system}, {schedule}, {depth} hidden layers, T = {steps}: {said}", flush=True)
    if asked.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
