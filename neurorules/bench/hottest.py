"""The three functions in which a training step spends the most time of the processor, by Python's profiler."""

from __future__ import annotations

import re
import time
from cProfile import Profile
from pathlib import PurePath
from pstats import Stats
from typing import Any

from neurorules.bench.steps import Step

PLACES, STEPS = 3, 5
"""The number of functions that are reported, and of steps that are profiled."""
BUILT_IN = re.compile(r"<(?:built-in )?(?:method )?(.*?)>")


def hottest(step: Step) -> list[dict[str, Any]]:
    """Profile some steps, and find where most of their processor time passes.

    A compiled kernel counts for the Python function that calls it. The profiler slows Python down and kernels not at
    all, so the share of Python is a little less than reported.

    Args:
        step: the training step, which has been called before.

    Returns:
        For each of the three functions with the most time of their own, most first, its `place`, and its `share` of the
        time of a step, in 0..1.
    """
    profile = Profile(time.process_time)
    profile.enable()
    for _ in range(STEPS):
        step()
    profile.disable()
    stats = Stats(profile)
    own = {where: figures[2] for where, figures in stats.stats.items()}  # type: ignore[attr-defined]
    total = sum(own.values())
    most = sorted(own, key=lambda where: own[where], reverse=True)[:PLACES]
    return [{"place": _place(*where), "share": own[where] / total} for where in most]


def _place(file: str, line: int, name: str) -> str:
    """Where a function is: a file from its package on, and its name; or the name of one that is built in."""
    if not line:
        match = BUILT_IN.fullmatch(name)
        return match[1].strip("'") if match else name
    pieces = PurePath(file).parts
    roots = [n for n, piece in enumerate(pieces) if piece in ("neurorules", "torch")]
    return f"{'/'.join(pieces[roots[-1] :] if roots else pieces[-1:])}: {name}"
