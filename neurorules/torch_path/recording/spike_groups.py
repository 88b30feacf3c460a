"""The spike times of two neurons in experiments on one synapse: pairs, triplets and quadruplets, repeated at a rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.language.errors import UserError

TAIL_MS = 500.0
"""The time after the last spike for which a synapse is observed, so that its traces still take effect."""
LARGEST = 200_000_000
"""The largest size of a train of spikes, steps times synapses."""


class SpikeGroup(NamedTuple):
    """The spikes that are repeated as a whole; only the differences of their times matter.

    Args:
        pre_ms: times of presynaptic spikes.
        post_ms: times of postsynaptic spikes.
    """

    pre_ms: tuple[float, ...]
    post_ms: tuple[float, ...]


def pair(lag_ms: float) -> SpikeGroup:
    """A presynaptic spike, and a postsynaptic one that comes `lag_ms` later, or earlier if that is negative."""
    return SpikeGroup((0.0,), (float(lag_ms),))


def triplet(first_ms: float, second_ms: float) -> SpikeGroup:
    """Three spikes, by the two lags of the middle spike to the others, postsynaptic time minus presynaptic time.

    Args:
        first_ms: lag of the first two spikes. Above 0 the order is pre-post-pre, below 0 post-pre-post.
        second_ms: lag of the last two spikes, of the other sign.

    Returns:
        The spikes.

    Raises:
        UserError: the lags do not have opposite signs.

    Source: Wang, Gerkin, Nauen, Bi 2005 (doi.org/10.1038/nn1387), as Pfister & Gerstner 2006 write their protocols.
    """
    if first_ms > 0 > second_ms:
        return SpikeGroup((-first_ms, -second_ms), (0.0,))
    if first_ms < 0 < second_ms:
        return SpikeGroup((0.0,), (first_ms, second_ms))
    raise UserError(
        f"a triplet has the lags {first_ms:g} and {second_ms:g} ms, and one of them must be above 0 and the other "
        f"below. Write 5:-5 for pre-post-pre, or -5:5 for post-pre-post"
    )


def quadruplet(between_ms: float, lag_ms: float) -> SpikeGroup:
    """Two pairs of opposite order whose middles are `between_ms` apart.

    Args:
        between_ms: above 0, a pair post-pre comes before a pair pre-post; below 0, pre-post comes before post-pre.
        lag_ms: time between the spikes of a pair, above 0.

    Returns:
        The spikes.

    Raises:
        UserError: the lag is not above 0, or two spikes of a neuron fall together.

    Source: as for `triplet`.
    """
    if lag_ms <= 0:
        raise UserError(f"the pairs of a quadruplet have a lag of {lag_ms:g} ms, and it must be above 0. Write --dt 5")
    if abs(between_ms) in (0, lag_ms):
        raise UserError(
            f"a quadruplet of pairs with a lag of {lag_ms:g} ms and {between_ms:g} ms between them has two spikes of "
            f"one neuron at the same time. Leave {between_ms:g} out, or use another --dt"
        )
    start = between_ms - lag_ms
    return SpikeGroup((0.0, start), (-lag_ms, start + lag_ms))


def trains(groups: Sequence[SpikeGroup], rate_hz: float | None, count: int, step_ms: float) -> tuple[Tensor, Tensor]:
    """The spikes of both neurons of each synapse.

    Args:
        groups: the spikes of each synapse, at whole numbers of steps from each other.
        rate_hz: groups per second, above 0; None for a single group.
        count: number of groups, >= 1.
        step_ms: duration of a step, above 0.

    Returns:
        Presynaptic and postsynaptic spikes, 0 or 1, (T, N) each in float64, with `TAIL_MS` after the last.

    Raises:
        UserError: a lag or the interval of groups is no whole number of steps, or the trains are too long.
    """
    times = [[[steps_of(time, step_ms, "a lag") for time in side] for side in group] for group in groups]
    period = 0 if rate_hz is None else steps_of(1000 / rate_hz, step_ms, f"the interval at {rate_hz:g} Hz,")
    every = [time for group in times for side in group for time in side]
    first = -min(every)
    steps = first + period * (count - 1) + max(every) + 1 + round(TAIL_MS / step_ms)
    if steps * len(groups) > LARGEST:
        raise UserError(
            f"the spikes take {steps:.6g} steps of {len(groups)} synapses, too many to hold. Use shorter lags, fewer "
            f"--pairs, higher --rates, or a longer --step-ms"
        )
    sides = torch.zeros(2, steps, len(groups), dtype=torch.float64)
    starts = first + period * torch.arange(count)
    for synapse, group in enumerate(times):
        for side, own in zip(sides, group, strict=True):
            for time in own:
                side[starts + time, synapse] = 1
    return sides[0], sides[1]


def steps_of(time_ms: float, step_ms: float, what: str) -> int:
    """A time as a whole number of steps.

    Args:
        time_ms: the time.
        step_ms: duration of a step, above 0.
        what: names the time in the message.

    Returns:
        The number of steps.

    Raises:
        UserError: the time is not a whole number of steps.
    """
    steps = round(time_ms / step_ms)
    if abs(steps * step_ms - time_ms) > 1e-6 * step_ms or (steps == 0) != (time_ms == 0):
        raise UserError(
            f"{what} of {time_ms:g} ms is not a whole number of steps of {step_ms:g} ms. Use another --step-ms"
        )
    return steps
