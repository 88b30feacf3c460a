"""A population step by step: neurons that no fused scan runs, and populations that hear themselves."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.neuron import Gates, Neuron
from neurorules.contracts.series import Series
from neurorules.native import scans
from neurorules.network.layer import Input, Layer
from neurorules.network.network import Parameters


class WindowActivity(NamedTuple):
    """A population's run: membranes and spikes (T, B, *shape), state after, what a scan summed, what T = 1 left."""

    v: Tensor
    spikes: Tensor
    after: tuple[Any, ...]
    spike_total: Tensor | None = None
    summary: Tensor | None = None
    scan: scans.Scan | None = None
    inner: Any = None
    gates: Gates | None = None


def run_steps(neuron: Neuron, drive: Series, steps: int, state: tuple[Any, ...] | None) -> WindowActivity:
    """Run a population without recurrent connections; from rest if `state` is None."""
    currents = drive.over_time(steps)
    state = neuron.initial(currents[0]) if state is None else state
    if steps == 1:
        fired, observed, state = neuron.step(state, currents[0])
        gates = _stacked([observed.gates] if observed.gates is not None else [])
        return WindowActivity(observed.v[None], fired[None], state, inner=observed.inner, gates=gates)
    membranes, spikes, gates_seen = [], [], []
    for t in range(steps):
        fired, observed, state = neuron.step(state, currents[t])
        membranes.append(observed.v)
        spikes.append(fired)
        gates_seen += [observed.gates] if observed.gates is not None else []
    return WindowActivity(torch.stack(membranes), torch.stack(spikes), state, gates=_stacked(gates_seen))


def run_loop(
    layer: Layer,
    parameters: Parameters,
    loops: list[Input],
    drive: Series,
    steps: int,
    state: tuple[Any, ...] | None,
    spikes: Tensor | None,
    gain: Tensor | None,
) -> WindowActivity:
    """Step by step, each step fed with the one before; recurrent current shares the feed-forward current's gain."""
    currents = drive.over_time(steps)
    state = layer.neuron.initial(currents[0]) if state is None else state
    spikes = torch.zeros_like(currents[0]) if spikes is None else spikes
    membranes, fired, gates_seen = [], [], []
    for t in range(steps):
        late = sum(entry.connection.current(parameters[layer.weight_name(entry)], spikes) for entry in loops)
        spikes, observed, state = layer.neuron.step(state, currents[t] + (late if gain is None else late * gain))
        membranes.append(observed.v)
        fired.append(spikes)
        gates_seen += [observed.gates] if observed.gates is not None else []
    return WindowActivity(torch.stack(membranes), torch.stack(fired), state, gates=_stacked(gates_seen))


def _stacked(gates: list[Gates]) -> Gates | None:
    """Those of each step as (T, B, *shape)."""
    if not gates:
        return None
    keep, admit = torch.stack([g.keep for g in gates]), torch.stack([g.admit for g in gates])
    fires = [g.fires for g in gates if g.fires is not None]
    return Gates(keep, admit, torch.stack(fires) if fires else None)
