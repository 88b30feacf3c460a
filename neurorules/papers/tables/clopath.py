"""Clopath et al. 2010, figure 2b: a weight after pairings at several rates, beside the figure and the authors' code."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from neurorules.papers.paper import Paper, Published
from neurorules.papers.protocol import Protocol, Protocols
from neurorules.rules import RULES
from neurorules.torch_path.recording.spike_groups import TAIL_MS
from neurorules.torch_path.recording.window import changes

PERIODS_MS = (10_000, 100, 50, 25, 20)
LONGEST_MS = 10_000
"""The period of groups of five pairings; at 0.1 Hz there are no groups."""
WEIGHT = 0.5
FIGURE = {10: (100.96, 104.35, 117.27, 148.25, 167.25), -10: (71.68, 59.59, 60.49, 118.77, 175.90)}
CODE = {10: (100.0, 102.9, 115.7, 146.3, 165.0), -10: (71.7, 59.6, 60.5, 117.8, 173.6)}
"""Percent, by lag in ms and in the order of the periods, as others have read them from the figure and from the authors'
code, ModelDB 144566."""


def clopath(quick: bool = False) -> Paper:
    """The table; if `quick`, without the pairings at 0.1 Hz, whose trains are long."""
    rows = tuple(
        Protocol(
            f"{lag:+d} ms, {1000 / period:g} Hz",
            partial(weight_after, period, lag),
            Published(FIGURE[lag][index], trust="second-hand"),
            {"authors' code %": f"{CODE[lag][index]:.1f}"},
        )
        for lag in FIGURE
        for index, period in enumerate(PERIODS_MS)
        if period < LONGEST_MS or not quick
    )
    return Paper(
        title="Voltage-based STDP, figure 2b",
        source="Clopath, Büsing, Vasilaki, Gerstner 2010",
        tables=(),
        protocols=(Protocols("Weight after 75 pairings (50 at 0.1 Hz), % of 0.5, post less pre", rows),),
        notes=(
            "The trains are those of the authors' code: where post comes first, a group of five pairings ends with a",
            "sixth postsynaptic spike, and the first spike of all is lost. The figure is above the code by up to 2 %.",
        ),
    )


def weight_after(period: int, lag: int) -> float:
    """The weight after all groups of pairings.

    Args:
        period: the period of pairings, in ms.
        lag: the time of each postsynaptic spike minus that of its presynaptic one, in ms.

    Returns:
        The weight in percent of its initial value.
    """
    together = period == LONGEST_MS
    first = _change(period, lag, 1, lost=lag < 0)
    if together:
        change = first + 9 * (_change(period, lag, 2, lost=lag < 0) - first)
    else:
        change = first + 14 * _change(period, lag, 1, lost=False)
    return 100 * (1 + change / WEIGHT)


def _change(period: int, lag: int, groups: int, lost: bool) -> float:
    """The change by some groups, one after the other; `lost`: without the first postsynaptic spike."""
    parts = [_group(period, lag) for _ in range(groups)]
    silence = torch.zeros(round(TAIL_MS), 1, dtype=torch.float64)
    pre, post = (torch.cat([*(part[side] for part in parts), silence]) for side in (0, 1))
    if lost:
        post[0] = 0
    return float(changes(RULES.make("clopath"), pre, post, weight=WEIGHT))


def _group(period: int, lag: int) -> tuple[Tensor, Tensor]:
    gap, length = abs(lag), 5 * period + abs(lag) + 1
    pre, post = torch.zeros(2, length, 1, dtype=torch.float64)
    pre[gap : length - 1 : period] = 1
    post[2 * gap if lag > 0 else 0 :: period] = 1
    return pre, post


ENTRY = clopath
