"""The change of a weight by the timing and the rate of the spikes at its two ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One synapse under one protocol.

    Args:
        dt_ms: the time of each postsynaptic spike minus that of its presynaptic one; in a triplet, that of the first
            two spikes; None under a clamp.
        rate_hz: pairs, triplets, quadruplets or presynaptic spikes per second; None for a single one.
        dw: change of the weight by all of them.
        clamp_mV: the voltage at which the postsynaptic membrane was clamped; None without a clamp.
        second_dt_ms: the lag of the last two spikes of a triplet, as `dt_ms`; None for others.
        between_ms: the time between the middles of the two pairs of a quadruplet; above 0, post-pre comes first. None
            for others.
    """

    dt_ms: float | None
    rate_hz: float | None
    dw: float
    clamp_mV: float | None = None
    second_dt_ms: float | None = None
    between_ms: float | None = None


def place_label(point: Point) -> str:
    """The head of the column that tells protocols of such points apart, with its unit."""
    if point.clamp_mV is not None:
        return "clamp, mV"
    if point.between_ms is not None:
        return "between pairs, ms"
    return "lag, ms" if point.second_dt_ms is None else "lags, ms"


def place_of(point: Point) -> str:
    """The cell of that column for one point."""
    if point.clamp_mV is not None:
        return f"{point.clamp_mV:g}"
    if point.between_ms is not None:
        return f"{point.between_ms:g}"
    return f"{point.dt_ms:g}" if point.second_dt_ms is None else f"{point.dt_ms:g}, {point.second_dt_ms:g}"
