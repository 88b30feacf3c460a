"""Time to an accuracy on MNIST by a local rule: seconds of learning, and from the command to the result.

    python benchmarks/time_to_accuracy.py [--goals 97,98,98.5,99] [--seed 0] [--threads N] [--json]

The trainings alone of `neurorules bench --goals`, a line for each; recipes stand in `neurorules/bench/accuracy.py`.
Seconds of the processor are those of the whole command, threads together, and say most where others share the cores.
"""

from __future__ import annotations

import argparse
import json

from neurorules.bench.accuracy import RECIPES, parse_goals, train_to


def main() -> None:
    """Train by the recipe of each goal, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--goals", default=",".join(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    for goal in parse_goals(asked.goals):
        row = train_to(goal, asked.seed, asked.threads)
        if asked.json:
            print(json.dumps(row), flush=True)
            continue
        words = [
            f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()
        ]
        print(", ".join(words), flush=True)


if __name__ == "__main__":
    main()
