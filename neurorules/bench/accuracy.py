"""Time to an accuracy on MNIST by a local rule: seconds of learning, and from the command to the result."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from neurorules.language.errors import UserError, unknown
from neurorules.language.options import parse_list

RULE = (
    "--rule", "local_readout", "--data", "mnist", "--steps", "1", "--encode", "constant:standardise=false",
    "--optimizer", "adam:beta2=0.98", "--lr", "5e-3", "--lr-schedule", "linear",
)  # fmt: skip
"""Options that all recipes share: images as they are, as a constant current of a single step of time."""
RECIPES: Mapping[str, tuple[str, ...]] = {
    "97": ("--net", "a2-800", "--epochs", "1"),
    "98": ("--net", "a2-800", "--epochs", "3"),
    "98.5": ("--net", "a2-800", "--epochs", "8", "--augment", "shift"),
    "99": ("--net", "c32k5s2-800", "--epochs", "8", "--augment", "shift"),
}
"""Options of `train`, by the test accuracy that they are for, in per cent. They were chosen on validation samples, with
other seeds than that of the trainings that are reported."""

SEED = 0
"""The seed of the trainings of `neurorules bench`."""


def parse_goals(text: str | None) -> tuple[str, ...]:
    """Parse the goals that a user asks for.

    Args:
        text: comma-separated goals, such as "97,98.5"; None for none.

    Returns:
        Keys of `RECIPES`.

    Raises:
        UserError: there is no recipe for a goal, or no goal is named.
    """
    goals = () if text is None else tuple(parse_list(text))
    if text is not None and not goals:
        raise UserError(f"--goals names no accuracy. Give some of {','.join(RECIPES)}")
    for goal in goals:
        if goal not in RECIPES:
            raise unknown("goal", goal, RECIPES)
    return goals


def train_to(goal: str, seed: int, threads: int | None) -> dict[str, Any]:
    """Train by the recipe of a goal, as one `neurorules train` in a process of its own.

    The test set is read once, after the last epoch, and what it says is reported whether it meets the goal or not.

    Args:
        goal: the test accuracy that the recipe is for, a key of `RECIPES`.
        seed: seed of weights and order, >= 0.
        threads: threads of the CPU; None leaves the choice to `train`.

    Returns:
        The figures of one row: the command, accuracies in per cent, and seconds of learning, from the command to the
        result, and of the processor (all threads of the whole command).

    Raises:
        UserError: the training fails, for example because the data are not there.
    """
    options = [*RULE, *RECIPES[goal], "--seed", str(seed), *(() if threads is None else ("--threads", str(threads)))]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "neurorules", "train", *options, "--out", f"{folder}/run", "--json"]
        done = subprocess.run(command, capture_output=True, text=True)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise UserError(f"training to {goal} % failed: {said[-1].removeprefix('neurorules: ')}")
    result = json.loads(done.stdout)
    return {
        "goal %": float(goal), "command": f"neurorules train {' '.join(options)}",
        "rule": result["rule"], "net": result["net"], "steps": result["steps"], "batch": result["batch_size"],
        "epochs": result["epochs"], "threads": result["threads"], "test %": 100 * result["test_accuracy"],
        "validation %": 100 * result["validation_accuracy"], "s of learning": result["train_seconds"],
        "s from the command": seconds,
        "processor s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }  # fmt: skip
