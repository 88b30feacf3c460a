"""The change of a weight by the timing and the rate of the spikes at its two ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One synapse under one protocol.

    Args:
        dt_ms: time of each postsynaptic spike less that of its presynaptic one; None under a clamp.
        rate_hz: pairs, or presynaptic spikes, per second; None for a single one.
        dw: change of the weight by all of them.
        clamp_mV: where the postsynaptic membrane was held; None where it was not.
    """

    dt_ms: float | None
    rate_hz: float | None
    dw: float
    clamp_mV: float | None = None
