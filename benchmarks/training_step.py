"""Time and memory of one training step, beside bare matrix products and snnTorch.

    python benchmarks/training_step.py [--repetitions 9] [--threads N] [--no-memory] [--store] [--json]

Times are those of `neurorules bench`, whose systems take turns. Memory is the growth of the resident set over a step,
its input apart, each measurement in a process of its own. --store writes the times of docs/results/speed.md
(docs/results/data/speed-step.json; then `make figures`), which say something on a quiet machine alone.
"""

from __future__ import annotations

import argparse
import json

import torch
from stored_table import keep

from neurorules.bench.growth import growth_of
from neurorules.bench.measure import BESIDE, measure, plan
from neurorules.bench.page import about, busy
from neurorules.commands.output import print_table

RULES = "bptt,sigprop:form=surrogate,sigprop:form=voltage,dfa,local_readout"
STEPS, BATCH, LONG = 25, 128, 400
SYSTEMS = {"sigprop:form=surrogate": "by_step", "snnTorch": "by_layer"}
"""Systems whose memory is measured, and their schedules."""


def growth() -> dict[str, dict[str, float]]:
    """Growth in MB at T = 25 and T = 400 and their ratio, by system."""
    found: dict[str, dict[str, float]] = {}
    for system, schedule in SYSTEMS.items():
        short, long = (growth_of(system, (1000,), steps, BATCH, schedule=schedule) or 0 for steps in (STEPS, LONG))
        found[system] = {f"T={STEPS}": short, f"T={LONG}": long, "ratio": long / short}
    return found


def show(table: dict[str, dict[str, float]]) -> None:
    """Print a table of numbers, a row a system."""
    columns = list(next(iter(table.values())))
    print_table(["", *columns], [[name, *(f"{row[column]:.2f}" for column in columns)] for name, row in table.items()])
    print()


def store(speed: dict[str, dict[str, float]], repetitions: int, state: str) -> None:
    """Keep the times, a row a system; `state` says how busy the machine was."""
    rows = [
        [name, f"{row['ms']:.0f}", f"{row['to bare products']:.2f}", f"{row['to snnTorch']:.2f}"]
        for name, row in speed.items()
        if name in RULES.split(",") or name in ("snnTorch", "bare products")
    ]
    note = f"medians over {repetitions} turns of the ratio of two times of one turn; ms are those of the clock. {state}"
    keep("speed-step", note, ["", "ms", "to bare products", "to snnTorch"], rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--store", action="store_true", help="write docs/results/data/speed-step.json")
    asked = parser.parse_args()
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
    if asked.store:
        store(speed, asked.repetitions, busy(found))
    show(speed)
    print(about(found), busy(found), sep="\n")
    if memory:
        print("\nmemory growth, MB")
        show(memory)


if __name__ == "__main__":
    main()
