"""Time to an accuracy on MNIST by a local rule: seconds of learning, and from the command to the result.

    python benchmarks/time_to_accuracy.py [--goals 97,98,98.5,99] [--seed 0] [--threads 1,2] [--store] [--json]

The trainings alone of `neurorules bench --goals`, a line for each; recipes stand in `neurorules/bench/accuracy.py`.
Each is trained once for each number of threads. Seconds of the processor are those of the whole command, threads
together, and say most where others share the cores. --store writes the table of docs/results/speed.md
(docs/results/data/speed-accuracy.json; then `make figures`), which says something on a quiet machine alone.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from stored_table import keep

from neurorules.bench.accuracy import RECIPES, parse_goals, train_to

COLUMNS = {
    "epochs": "{}", "test %": "{:.2f}", "validation %": "{:.2f}", "s of learning": "{:.1f}",
    "s from the command": "{:.1f}", "processor s": "{:.1f}",
}  # fmt: skip
"""Columns of the stored table behind the goal and its recipe, and how their numbers are written."""


def store(rows: list[dict[str, Any]], seed: int) -> None:
    """Keep the table, a row for each goal and number of threads."""
    cells = [
        [
            f"{row['goal %']:g} %, {row['threads']} thread{'s' * (row['threads'] > 1)}",
            "`" + " ".join(RECIPES[f"{row['goal %']:g}"]) + "`",
        ]
        + [form.format(row[name]) for name, form in COLUMNS.items()]
        for row in rows
    ]
    note = f"seed {seed}; the test set is read once, after the last epoch; processor s are those of the whole command"
    keep("speed-accuracy", note, ["goal", "recipe", *COLUMNS], cells)


def main() -> None:
    """Train by the recipe of each goal, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--goals", default=",".join(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--store", action="store_true", help="write docs/results/data/speed-accuracy.json")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = []
    for goal in parse_goals(asked.goals):
        for threads in asked.threads.split(","):
            rows.append(train_to(goal, asked.seed, int(threads)))
            if asked.json:
                print(json.dumps(rows[-1]), flush=True)
                continue
            print(
                ", ".join(f"{name} {f'{v:.2f}' if isinstance(v, float) else v}" for name, v in rows[-1].items()),
                flush=True,
            )
    if asked.store:
        store(rows, asked.seed)


if __name__ == "__main__":
    main()
