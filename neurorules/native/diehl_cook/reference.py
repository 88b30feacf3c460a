"""One presentation in plain torch, vectorised over neurons. It defines what the compiled loop computes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neurorules.native.diehl_cook.network import EXCITATORY, INHIBITORY, LAGS, Constants, Population, State


def present(
    state: State, constants: Constants, steps: int, times: Tensor, inputs: Tensor,
    learns: bool, adapts: bool,
) -> Tensor:  # fmt: skip
    """Run the network for some steps, and change its state in place.

    Args:
        state: the state of the network.
        constants: the constants of the network.
        steps: the number of steps T.
        times, inputs: the step of each input spike, counted from the first of these steps, and the index of its input,
            sorted by step.
        learns: whether weights change.
        adapts: whether thresholds change.

    Returns:
        Spikes of the excitatory neurons, (T, N) uint8.
    """
    c, first, size = constants, int(state.step), state.w.shape[1]
    synapses, ends = _arrivals(state.delays, steps, times, inputs)
    table, spikes = c.table(c.tau_pre_ms), torch.zeros(steps, size, dtype=torch.uint8)
    keep_e, keep_i = (math.exp(-c.dt_ms / tau) for tau in (c.tau_e_ms, c.tau_i_ms))
    w, last_arrival = state.w.view(-1), state.last_arrival.view(-1)
    begin = 0
    for step, end in enumerate(ends):
        now = first + step
        _move(state.v, state.last, state.g_e, state.g_i, now, EXCITATORY, c)
        _move(state.inhibitory_v, state.inhibitory_last, state.inhibitory_g, None, now, INHIBITORY, c)
        for conductance, keep in ((state.g_e, keep_e), (state.g_i, keep_i), (state.inhibitory_g, keep_e)):
            conductance.mul_(keep)
        if adapts:
            state.theta.mul_(math.exp(-c.dt_ms / c.tau_theta_ms))
        fired = _fired(state.v, state.theta + EXCITATORY.threshold_mV, state.last, now, EXCITATORY, c)
        inhibits = _fired(state.inhibitory_v, INHIBITORY.threshold_mV, state.inhibitory_last, now, INHIBITORY, c)
        here = synapses[begin:end]
        begin = end
        onto = here % size
        state.g_e.index_add_(0, onto, c.share_e * w[here])
        if learns:
            lag = (now - state.last).clamp(max=LAGS - 1)
            w[here] = (w[here] - c.nu_pre * table[lag[onto]]).clamp(0, 1)
            for j in fired.nonzero().flatten():
                post2 = torch.exp(-(now - state.last[j]).double() * c.dt_ms / c.tau_post2_ms)
                pre = table[(now - state.last_arrival[:, j].long()).clamp(max=LAGS - 1)]
                state.w[:, j] = (state.w[:, j] + c.nu_post * pre * post2).clamp(0, 1)
        last_arrival[here] = now
        state.inhibitory_g.add_(c.share_e * c.excites * fired.double())
        state.g_i.add_(c.share_i * c.inhibits * (inhibits.sum() - inhibits.double()))
        _reset(state.v, state.last, fired, now, EXCITATORY)
        _reset(state.inhibitory_v, state.inhibitory_last, inhibits, now, INHIBITORY)
        if adapts:
            state.theta.add_(c.theta_plus_mV * fired.double())
        spikes[step] = fired
    state.step.add_(steps)
    return spikes


def _arrivals(delays: Tensor, steps: int, times: Tensor, inputs: Tensor) -> tuple[Tensor, list[int]]:
    """The synapses at which spikes arrive, in the order of their steps, and the position at which each step ends."""
    size = delays.shape[1]
    arrival = (times[:, None] + delays[inputs]).flatten()
    synapse = (inputs[:, None] * size + torch.arange(size)).flatten()
    order = torch.sort(arrival, stable=True).indices
    ends = torch.searchsorted(arrival[order], torch.arange(steps), right=True)
    return synapse[order], ends.tolist()


def _move(
    v: Tensor, last: Tensor, g_e: Tensor, g_i: Tensor | None, now: int, population: Population, c: Constants
) -> None:
    """Move the membranes that are not clamped by one step of exponential Euler."""
    total, pull = 1 + g_e, population.rest_mV + 0 * g_e
    if g_i is not None:
        total, pull = total + g_i, pull + g_i * population.inhibition_mV
    rest = pull / total
    moved = rest + (v - rest) * torch.exp(-c.dt_ms / population.tau_ms * total)
    v.copy_(torch.where(now - last >= c.steps(population.clamped_ms), moved, v))


def _fired(
    v: Tensor, threshold: Tensor | float, last: Tensor, now: int, population: Population, c: Constants
) -> Tensor:
    return (v > threshold) & (now - last >= c.steps(population.clamped_ms))


def _reset(v: Tensor, last: Tensor, fired: Tensor, now: int, population: Population) -> None:
    v[fired] = population.reset_mV
    last[fired] = now
