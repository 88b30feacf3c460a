"""Pfister & Gerstner 2006: the change of a weight by 60 pairs at several rates, beside the data that the rule fits."""

from __future__ import annotations

from functools import partial

from neurorules.papers.paper import Paper, Published
from neurorules.papers.protocol import Protocol, Protocols
from neurorules.papers.published import Trust
from neurorules.rules import RULES
from neurorules.torch_path.recording.window import window

RECALLED: Trust = "recalled, unverified"
DATA: dict[float, dict[float, Published]] = {
    10.0: {
        0.1: Published(-4, 5, "second-hand"), 10: Published(14, trust=RECALLED), 20: Published(29, trust=RECALLED),
        40: Published(53, trust=RECALLED), 50: Published(56, 26, "second-hand"),
    },
    -10.0: {
        0.1: Published(-29, 8, "second-hand"), 10: Published(-41, trust=RECALLED), 20: Published(-34, trust=RECALLED),
        40: Published(56, trust=RECALLED), 50: Published(75, 19, "second-hand"),
    },
}  # fmt: skip
"""Percent, by lag in ms and pairs per second: Sjostrom et al. 2001, which the paper fits."""
PAIRS, SLOW_HZ, SLOW_PAIRS = 60, 0.1, 3
"""At 0.1 Hz pairs are so far apart that they do not interact: a few are measured, and their change is scaled to 60."""


def triplet(quick: bool = False) -> Paper:
    """The tables; if `quick`, of the first fit alone."""
    fits = ("visual", "visual_minimal")[: 1 if quick else None]
    tables = tuple(
        Protocols(
            f"Fit {fit}, change by {PAIRS} pairs, %, post less pre",
            tuple(
                Protocol(f"{lag:+g} ms, {rate:g} Hz", partial(percent, fit, lag, rate), published)
                for lag, by_rate in DATA.items()
                for rate, published in by_rate.items()
            ),
        )
        for fit in fits
    )
    return Paper(
        title="Triplet STDP, visual cortex",
        source="Pfister, Gerstner 2006",
        tables=(),
        protocols=tables,
        notes=("The column of the paper has the data of Sjostrom et al. 2001 that the constants were fitted to.",),
    )


def percent(fit: str, lag: float, rate: float) -> float:
    """The change of a weight of 1 by all pairs.

    Args:
        fit: the fit of the rule.
        lag: the lag in ms.
        rate: pairs per second.

    Returns:
        The change in percent.
    """
    pairs = SLOW_PAIRS if rate == SLOW_HZ else PAIRS
    (point,) = window(RULES.make(f"triplet_stdp:fit={fit}"), (lag,), (rate,), pairs=pairs)
    return 100 * point.dw * PAIRS / pairs


ENTRY = triplet
