"""How far gradients on time steps are from the exact gradient through spike times, by the length of a step.

Small random nets of two layers of four neurons (20 and 5 ms would be usual; here 10 and 4 ms, over 20 ms) run on steps
of dt and, event by event, in continuous time. The exact gradient is that of the simulator in tests/oracle, which holds
against central differences. Each row is the median over the nets, those included in which a spike comes or goes:

    python benchmarks/spike_times.py --nets 40 --keep eventprop-steps
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from stored_table import keep

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "oracle"))
import test_eventprop as oracle

COLUMNS = ("rule, step", "angle, degrees", "error", "nets with the same spikes")
SIZES = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)
RULES = ("eventprop", "eventprop:least_rise=0.5", "eventprop:least_rise=2", "bptt")
NOTE = "error: distance from the exact gradient over its length; angle between both; tau_m 10 ms, tau_s 4 ms"


def row_of(rule: str, dt: float, nets: int) -> list[str]:
    """A cell for each column."""
    angles, errors, alike = [], [], 0
    for seed in range(nets):
        case = oracle.drawn("4-4", seed, grid=SIZES[0])
        wanted, found, same_spikes = oracle.gradients(case, dt, "mean", "subtract", rule)
        lengths = np.linalg.norm(found), np.linalg.norm(wanted)
        if not all(lengths):
            continue  # a silent net has no gradient
        cosine = np.clip(found @ wanted / lengths[0] / lengths[1], -1, 1)
        angles.append(np.degrees(np.arccos(cosine)))
        errors.append(np.linalg.norm(found - wanted) / lengths[1])
        alike += same_spikes
    return [f"{rule}, {dt:g} ms", f"{np.median(angles):.1f}", f"{np.median(errors):.2g}", f"{alike} of {len(angles)}"]


def main() -> None:
    """Print the table, and keep it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", type=int, default=40, help="number of random nets")
    parser.add_argument("--keep", metavar="NAME", help="keep the table as docs/results/data/NAME.json")
    asked = parser.parse_args()
    rows = [row_of(rule, dt, asked.nets) for rule in RULES for dt in SIZES]
    for row in (COLUMNS, *rows):
        print("  ".join(f"{cell:<34}" for cell in row).rstrip())
    if asked.keep:
        keep(asked.keep, NOTE, COLUMNS, rows)


if __name__ == "__main__":
    main()
