"""Running layers through time: all steps of a layer at once, or a window of them, with explicit state.

The linear part of a layer is one product over time x batch. Only the neuron's recursion runs through time: in a fused
scan where the neuron is a leaky integrator, else step by step. A recurrent layer runs step by step throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from neurorules.neurons._shared import State
from neurorules.normalisations._shared import CurrentStatistics, first_current_statistics
from neurorules.series import Series
from neurorules.torch_path import kernels
from neurorules.torch_path.layer import Input, Layer, Masks, arrive
from neurorules.torch_path.network import Parameters

RESETS = {"subtract": kernels.Reset.SUBTRACT, "zero": kernels.Reset.ZERO, "none": kernels.Reset.NONE}


@dataclass
class Activity:
    """What one layer did in one phase, over a window of T steps and B rows.

    Args:
        steps: T.
        sources: spikes of each input's source, before its transforms.
        pre: the same as they reach the connection.
        normalised: normalised current I^ before the bias; the raw current where nothing normalises.
        pre_mean: running means that were taken away from `pre`, (*pre) or (C, 1, 1), by input; empty for none.
        gain: 1/sigma of the normalisation; None where there is none.
        current: raw current, for the running statistics; None where nothing normalises.
        v: membrane before reset.
        S: spikes, or the graded output of a rate neuron.
    """

    steps: int
    sources: dict[str, Series]
    pre: dict[str, Series]
    normalised: Series
    pre_mean: dict[str, Tensor]
    gain: Tensor | None
    current: Series | None
    v: Series
    S: Series


@dataclass
class Carry:
    """State of one layer between windows: membrane, and last spikes for what comes one step late."""

    state: State | None = None
    spikes: Tensor | None = None
    traces: dict[str, Tensor] = field(default_factory=dict)


def run_layer(
    layer: Layer,
    parameters: Parameters,
    statistics: CurrentStatistics | None,
    sources: dict[str, Series],
    steps: int,
    *,
    pre_mean: dict[str, Tensor] | None = None,
    carry: Carry | None = None,
    injected: Series | None = None,
    offset: Tensor | None = None,
    masks: Masks | None = None,
    training: bool = False,
) -> tuple[Activity, Carry]:
    """Run one layer over a window of steps.

    Args:
        layer: what runs.
        parameters: the network's weights and biases.
        statistics: running statistics of its current; fresh ones if None.
        sources: spikes of each feed-forward input's source, by input name; empty where `injected` is all there is.
        steps: T, the length of the window.
        pre_mean: running means of the inputs to take away, by input name; none if None.
        carry: state left by the window before; rest if None.
        offset: constant activity (B, *source) that reaches the first connection beside its source's spikes.
        injected: current added after the normalisation, such as a target's, (B, *shape) or (T, B, *shape).
        masks: dropout masks of the trial.
        training: whether batch statistics apply.
    """
    carry = carry or Carry()
    entries = [entry for entry in layer.inputs if entry.name in sources]
    pre = {entry.name: arrive(layer, entry, sources[entry.name], masks or {}) for entry in entries}
    pre_mean = pre_mean or {}
    raw = _feed_forward_current(layer, parameters, entries, pre, pre_mean)
    if offset is not None:
        beside = arrive(layer, layer.inputs[0], Series(offset, True), masks or {})
        aside = layer.inputs[0].connection.current(parameters[layer.weight(layer.inputs[0])], beside.values)
        raw = _add(Series(aside, True), raw)
    normalised, gain = _normalise(layer, statistics, raw, training)
    drive = _add(_add(normalised, injected), None if raw is None else Series(parameters[layer.bias], True))
    loops = [entry for entry in layer.inputs if entry.connection.recurrent]
    if loops:
        v, spikes, after = _run_loop(layer, parameters, loops, drive, steps, carry, gain)
        previous = torch.zeros_like(spikes[0]) if carry.spikes is None else carry.spikes
        late = Series(torch.cat([previous[None], spikes[:-1]]), False)
        for entry in loops:
            pre[entry.name] = sources[entry.name] = late
    else:
        v, spikes, after = _run_through_time(layer, drive, steps, carry)
    activity = Activity(
        steps, sources, pre, normalised or drive, pre_mean, gain, raw if gain is not None else None, Series(v, False),
        Series(spikes, False),
    )  # fmt: skip
    return activity, Carry(after, spikes[-1], carry.traces)


def _feed_forward_current(
    layer: Layer, parameters: Parameters, entries: list[Input], pre: dict[str, Series], pre_mean: dict[str, Tensor]
) -> Series | None:
    total: Series | None = None
    for entry in entries:
        arrived = pre[entry.name]
        lead = arrived.values.shape[: 1 if arrived.constant else 2]
        w = parameters[layer.weight(entry)]
        rows = entry.connection.current(w, arrived.rows())
        if entry.name in pre_mean:
            rows = rows - entry.connection.current(w, as_row(pre_mean[entry.name], entry))
        total = _add(Series(rows.reshape(*lead, *rows.shape[1:]), arrived.constant), total)
    return total


def as_row(mean: Tensor, entry: Input) -> Tensor:
    """A running mean of an input, one a neuron or one a map, as one row (1, *pre)."""
    return mean.expand(entry.pre_shape)[None]


def _normalise(
    layer: Layer, statistics: CurrentStatistics | None, raw: Series | None, training: bool
) -> tuple[Series | None, Tensor | None]:
    if raw is None or layer.normalisation is None:
        return raw, None
    statistics = statistics or first_current_statistics(layer.shape, raw.values)
    rows, gain = layer.normalisation.forward(statistics, raw.rows(), training)
    return Series(rows.reshape(raw.values.shape), raw.constant), gain


def _add(a: Series | None, b: Series | None) -> Series:
    if a is None or b is None:
        one = a or b
        assert one is not None, "a layer without any current"
        return one
    return Series(a.values + b.values, a.constant and b.constant)


def _run_through_time(layer: Layer, drive: Series, steps: int, carry: Carry) -> tuple[Tensor, Tensor, State]:
    dynamics = layer.neuron.dynamics()
    if dynamics is None:
        return _run_steps(layer, drive, steps, carry)
    lead = drive.values.shape[: 1 if drive.constant else 2]
    flat = drive.values.reshape(*lead, -1)
    rows = flat.shape[-2]
    u0 = None if carry.state is None else carry.state.membrane.reshape(rows, -1)
    found = kernels.scan(
        flat, steps, _flat(dynamics.beta), _flat(dynamics.v_threshold), RESETS[dynamics.reset], dynamics.reset_delay,
        u0, spikes=layer.neuron.spiking,
    )  # fmt: skip
    shape = (steps, rows, *layer.shape)
    v = found.v.reshape(shape)
    spikes = found.spikes.reshape(shape) if layer.neuron.spiking else v
    return v, spikes, State(found.u.reshape(rows, *layer.shape))


def _flat(value: float | Tensor) -> float | Tensor:
    return value.reshape(-1) if isinstance(value, Tensor) else value


def _run_steps(layer: Layer, drive: Series, steps: int, carry: Carry) -> tuple[Tensor, Tensor, State]:
    currents = drive.over_time(steps)
    state = carry.state or layer.neuron.initial(currents[0])
    membranes, spikes = [], []
    for t in range(steps):
        fired, observed, state = layer.neuron.step(state, currents[t])
        membranes.append(observed.v)
        spikes.append(fired)
    return torch.stack(membranes), torch.stack(spikes), state


def _run_loop(
    layer: Layer,
    parameters: Parameters,
    loops: list[Input],
    drive: Series,
    steps: int,
    carry: Carry,
    gain: Tensor | None,
) -> tuple[Tensor, Tensor, State]:
    """Step by step, each step fed with the one before; recurrent current shares the feed-forward current's gain."""
    currents = drive.over_time(steps)
    state = carry.state or layer.neuron.initial(currents[0])
    spikes = torch.zeros_like(currents[0]) if carry.spikes is None else carry.spikes
    membranes, fired = [], []
    for t in range(steps):
        late = sum(entry.connection.current(parameters[layer.weight(entry)], spikes) for entry in loops)
        spikes, observed, state = layer.neuron.step(state, currents[t] + (late if gain is None else late * gain))
        membranes.append(observed.v)
        fired.append(spikes)
    return torch.stack(membranes), torch.stack(fired), state
