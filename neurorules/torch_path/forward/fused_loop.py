"""Populations that one compiled scan runs: recurrent or adaptive ones, and those with synaptic currents."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurorules.connections._products import is_recorded
from neurorules.connections.recurrent import Recurrent
from neurorules.contracts.neuron import Gates, MembraneState, Neuron
from neurorules.native import scans
from neurorules.network.layer import Input, Layer
from neurorules.network.network import Parameters
from neurorules.neurons._adaptive import AdaptiveIntegrator, AdaptiveState
from neurorules.neurons._integrator import Integrator
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._learned_numbers import LearningLeaky, LearningSynaptic
from neurorules.neurons._synaptic import SynapticIntegrator, SynapticState
from neurorules.torch_path.forward.drive import Drive
from neurorules.torch_path.forward.step_by_step import WindowActivity

KINDS: dict[type, scans.Kind] = {
    LeakyIntegrator: scans.Kind.LEAKY,
    LearningLeaky: scans.Kind.LEAKY,
    AdaptiveIntegrator: scans.Kind.ADAPTIVE,
    SynapticIntegrator: scans.Kind.SYNAPTIC,
    LearningSynaptic: scans.Kind.SYNAPTIC,
}
"""The classes of neurons that the scan can run. Subclasses are not included, since they may compute other steps."""


def run_fused(
    layer: Layer,
    parameters: Parameters,
    loops: list[Input],
    drive: Drive,
    steps: int,
    before: tuple[tuple[Any, ...] | None, Tensor | None],
    training: bool,
) -> WindowActivity | None:
    """Run a population through time in one compiled scan.

    Args:
        layer: the population.
        parameters: the network's.
        loops: its recurrent connections.
        drive: feed-forward current.
        steps: T, >= 1.
        before: state of the neurons, and spikes of the step before the first, (B, *shape); None for rest.
        training: whether the moments of the current are needed.

    Returns:
        The activity of the population; None if no compiled scan can run its neurons and connections.
    """
    neuron = layer.neuron
    weights = [parameters[layer.weight_name(entry)] for entry in loops]
    if not isinstance(neuron, Integrator) or type(neuron) not in KINDS:
        return None
    if [type(entry.connection) for entry in loops] not in ([], [Recurrent]):
        return None
    normal, own = drive.current, len(weights[0]) if weights else 0
    arriving = drive.injected if normal is None else normal.synaptic
    if arriving is None or not scans.loops(arriving.values, own):
        return None
    series, affine, moments = drive.for_scan(layer.shape, training)
    values = series.values
    if any(w.dtype != values.dtype or is_recorded(w, values) for w in weights):
        return None
    gain = None if normal is None or normal.gain is None else normal.gain.expand(1, *layer.shape).reshape(-1)
    state, spikes = before
    start = scans.Start() if state is None else _flat_state(*state)
    run = scans.loop(
        series.flat(), steps, cells_of(neuron), weights[0] if weights else None,
        start if spikes is None else start._replace(spikes=spikes.flatten(1)), affine, gain, moments,
    )  # fmt: skip
    return _activity(layer, neuron, run)


def cells_of(neuron: Integrator) -> scans.Cells:
    """The numbers of neurons of one of the `KINDS`, as the scan takes them.

    Args:
        neuron: the neurons.
    """
    own: tuple[float | Tensor, ...] = ()
    if isinstance(neuron, AdaptiveIntegrator):
        own = neuron.rho, neuron.kappa
    if isinstance(neuron, SynapticIntegrator):
        own = (neuron.alpha,)
    beta, v_threshold, *more = (_flat(value) for value in (neuron.beta, neuron.v_threshold, *own))
    return scans.Cells(KINDS[type(neuron)], beta, v_threshold, scans.RESETS[neuron.reset], neuron.reset_delay, *more)


def _flat(value: float | Tensor) -> float | Tensor:
    return value.reshape(-1) if isinstance(value, Tensor) else value


def _flat_state(membrane: Tensor, extra: Tensor | None = None, spikes: Tensor | None = None) -> scans.Start:
    return scans.Start(*(None if part is None else part.flatten(1) for part in (membrane, extra, spikes)))


def _activity(layer: Layer, neuron: Neuron[Any], run: scans.Loop) -> WindowActivity:
    """The activity that a scan computed, in the layer's shape."""

    def shaped(value: Tensor) -> Tensor:
        return value.reshape(*value.shape[:-1], *layer.shape)

    spikes, late = shaped(run.spikes), shaped(run.late)
    membrane, extra, last = shaped(run.u), shaped(run.extra), spikes[-1]
    after: tuple[Any, ...] = MembraneState(membrane)
    gates: Gates | None = None
    if isinstance(neuron, AdaptiveIntegrator):
        after = AdaptiveState(membrane, extra, last)
        gates = _gates(neuron, after, late)
    if isinstance(neuron, SynapticIntegrator):
        after = SynapticState(membrane, extra, last)
        gates = _gates(neuron, after, late)
    sums = scans.Scan(None, None, run.u, run.spike_total, None, run.current_sum, run.square_sum)
    return WindowActivity(
        shaped(run.v), spikes, after, shaped(run.spike_total), scan=sums, gates=gates, late=late
    )  # fmt: skip


def _gates(neuron: Integrator[Any], state: tuple[Any, ...], late: Tensor) -> Gates:
    """The gates of all steps. They are expanded views, without memory of their own, if no reset cuts off the past."""
    if neuron.reset == "zero":
        return neuron.gates(state, late)  # they read no state
    one = torch.ones((), dtype=late.dtype)
    return Gates((neuron.beta * one).expand_as(late), one.expand_as(late), None)
