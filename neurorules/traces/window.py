"""The change of a weight by the timing and the rate of the spikes at its two ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One synapse under one protocol.

    Args:
        dt_ms: the time of each postsynaptic spike minus that of its presynaptic one; None under a clamp.
        rate_hz: pairs, or presynaptic spikes, per second; None for a single one.
        dw: change of the weight by all of them.
        clamp_mV: the voltage at which the postsynaptic membrane was clamped; None without a clamp.
    """

    dt_ms: float | None
    rate_hz: float | None
    dw: float
    clamp_mV: float | None = None
