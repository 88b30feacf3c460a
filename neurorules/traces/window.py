"""How a weight changes by the timing and the rate of the spikes at its two ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One synapse under one protocol.

    Args:
        dt_ms: time of each postsynaptic spike less that of its presynaptic one.
        rate_hz: pairs per second; None for a single pair.
        dw: change of the weight by all pairs.
    """

    dt_ms: float
    rate_hz: float | None
    dw: float
