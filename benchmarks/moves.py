"""Reading distance: the files of the package that one training step enters, and its calls from one file into another.

    python benchmarks/moves.py [--rule sigprop] [--files] [--calls]

The step is the second one of a learner (784-32-10, 10 steps, 128 samples), after everything that is settled once has
been. A call counts if the nearest function of the package that led to it stands in another file.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch

import neurorules

PACKAGE = f"{Path(neurorules.__file__).parent}/"
STEPS, ROWS, INPUTS, CLASSES = 10, 128, 784, 10


class Moves(NamedTuple):
    """What one step enters.

    Args:
        files: number of calls of functions in each file.
        calls: number of calls from one function into a function of another file, by both.
    """

    files: Counter[str]
    calls: Counter[tuple[str, str]]


def moves_of(rule: str) -> Moves:
    """Count the files and calls of one step of a rule."""
    generator = torch.Generator().manual_seed(0)
    learner = neurorules.Learner(
        "32", rule, input_shape=(INPUTS,), classes=CLASSES, steps=STEPS, device="cpu", seed=1, neuron="lif"
    )
    spikes = (torch.rand(STEPS, ROWS, INPUTS, generator=generator) < 0.1).float()
    labels = torch.randint(0, CLASSES, (ROWS,), generator=generator)
    learner.step(spikes, labels)
    moves = Moves(Counter(), Counter())

    def follow(frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(PACKAGE):
            return
        file = code.co_filename.removeprefix(PACKAGE)
        moves.files[file] += 1
        before = frame.f_back
        while before is not None and not before.f_code.co_filename.startswith(PACKAGE):
            before = before.f_back
        if before is not None and before.f_code.co_filename != code.co_filename:
            here = f"{before.f_code.co_filename.removeprefix(PACKAGE)} {before.f_code.co_qualname}"
            moves.calls[here, f"{file} {code.co_qualname}"] += 1

    earlier = sys.getprofile()
    sys.setprofile(follow)
    try:
        learner.step(spikes, labels)
    finally:
        sys.setprofile(earlier)
    return moves


def main() -> None:
    """Print the two numbers, and what they count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rule", default="sigprop", help="rule that learns")
    parser.add_argument("--files", action="store_true", help="list the files, with the calls of their functions")
    parser.add_argument("--calls", action="store_true", help="list the calls between files")
    options = parser.parse_args()
    moves = moves_of(options.rule)
    print(f"{options.rule}: {len(moves.files)} files, {moves.calls.total()} calls from one file into another")
    if options.files:
        for file, count in sorted(moves.files.items()):
            print(f"{count:5d} {file}")
    if options.calls:
        for (here, there), count in moves.calls.most_common():
            print(f"{count:5d} {here} -> {there}")


if __name__ == "__main__":
    main()
