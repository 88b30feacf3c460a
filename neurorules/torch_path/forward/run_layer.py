"""Running layers through time: all steps of a layer at once, or a window of them, with explicit state.

The linear part of a layer is one product over time x batch. Only the neuron's recursion runs through time: in a fused
scan where the neuron is a leaky integrator, else step by step. A recurrent layer runs step by step throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.neuron import Gates, MembraneState, Neuron
from neurorules.contracts.normalisation import CurrentStatistics, first_current_statistics
from neurorules.contracts.phase_drive import Offset
from neurorules.contracts.series import Series, summed_over_time
from neurorules.contracts.view import Summary
from neurorules.native import scans
from neurorules.network.layer import Input, Layer, Masks, arrive
from neurorules.network.network import Parameters
from neurorules.network.post_forms import psi_of
from neurorules.torch_path.forward.current import Current
from neurorules.torch_path.forward.efficacy import transmitted
from neurorules.torch_path.forward.offset import offset_current, with_offset
from neurorules.torch_path.forward.step_by_step import WindowActivity, run_loop, run_steps

RESETS = {"subtract": scans.Reset.SUBTRACT, "zero": scans.Reset.ZERO, "none": scans.Reset.NONE}


@dataclass
class Activity:
    """What one layer did in one phase, over a window of T steps and B rows.

    Args:
        steps: T.
        sources: spikes of each input's source, before its transforms.
        pre: the same as they reach the connection.
        pre_mean: running means that were taken away from `pre`, (*pre) or (C, 1, 1), by input; empty for none.
        current: what the weights brought and how it was normalised; None for a layer driven from outside alone.
        moments: means over rows of the current and its square, times T; None where nothing normalises.
        v: membrane before reset.
        S: spikes, or the graded output of a rate neuron.
        summary: sum over time of what the signal reads, (B, *shape); None where it reads nothing.
        aside: what an offset added to the raw current, (B, *shape); None without one.
        inner, gates: of neurons that have one, what their inner integration left, and how steps passed changes on.
        kept: dropout's mask of the neurons' own output, (B, *shape); None where nothing drops them.
    """

    steps: int
    sources: dict[str, Series]
    pre: dict[str, Series]
    pre_mean: dict[str, Tensor]
    current: Current | None
    moments: tuple[Tensor, Tensor] | None
    v: Series
    S: Series
    summary: Tensor | None
    aside: Tensor | None = None
    inner: Any = None
    gates: Gates | None = None
    kept: Tensor | None = None

    @property
    def gain(self) -> Tensor | None:
        """1/sigma of the normalisation; None where there is none."""
        return None if self.current is None else self.current.gain

    def psi(self, neuron: Neuron, v: Tensor) -> Tensor:
        """The neuron's pseudo-derivative; 0 where no spike could come."""
        slope = neuron.psi(v)
        return slope if self.gates is None or self.gates.fires is None else slope * self.gates.fires


@dataclass
class Carry:
    """What one layer hands from a window to the next.

    Args:
        state: the neurons' own state, whatever its type; None before the first window.
        spikes: of the last step, (B, *shape), for what arrives one step late.
        traces: what fades over time, by name.
    """

    state: tuple[Any, ...] | None = None
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
    offset: Offset | None = None,
    known: Current | None = None,
    masks: Masks | None = None,
    training: bool = False,
    summary: Summary | None = None,
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
        offset: constant activity that reaches the first connection beside its source's spikes.
        known: what the same sources brought through the same weights before, where they did.
        injected: current added after the normalisation, such as a target's, (B, *shape) or (T, B, *shape).
        masks: dropout masks of the trial.
        training, summary: whether batch statistics apply, and running ones are to move; what the signal reads.
    """
    carry, masks, pre_mean = carry or Carry(), masks or {}, pre_mean or {}
    entries = [entry for entry in layer.inputs if entry.name in sources]
    pre = {e.name: transmitted(e, arrive(layer, e, sources[e.name], masks), steps, carry.traces) for e in entries}
    found = known or _feed_forward_current(layer, parameters, entries, pre, pre_mean)
    brought, shift = (None, None) if found is None else (found.brought, found.shift)
    aside = None if offset is None else offset_current(layer, parameters, offset, masks)
    if offset is not None and aside is not None:
        brought = _add(brought, Series(aside, True))
        pre |= with_offset(layer, offset, pre, masks)
    current = None if brought is None else _normalised(layer, statistics, Current(brought, shift), training)
    drive = Drive(current, None if current is None else parameters[layer.bias_name], injected)
    loops = [entry for entry in layer.inputs if entry.connection.recurrent]
    if loops:
        gain = None if current is None else current.gain
        run = run_loop(layer, parameters, loops, drive.values(), steps, carry.state, carry.spikes, gain)
        previous = torch.zeros_like(run.spikes[0]) if carry.spikes is None else carry.spikes
        late = Series(torch.cat([previous[None], run.spikes[:-1]]), False)
        for entry in loops:
            pre[entry.name] = sources[entry.name] = late
    else:
        run = _run_through_time(layer, drive, steps, carry, summary, training)
    read = run.summary if summary is None or run.summary is not None else _summed(summary, layer, run, drive, steps)
    moments = current.moments(steps, run.scan) if current is not None and training else None
    activity = Activity(
        steps, sources, pre, pre_mean, current, moments, Series(run.v, False),
        Series(run.spikes, False, run.spike_total), read, aside, run.inner, run.gates,
    )  # fmt: skip
    return activity, Carry(run.after, run.spikes[-1], carry.traces)


def _summed(summary: Summary, layer: Layer, run: WindowActivity, drive: Drive, steps: int) -> Tensor:
    """Sum over time of what a signal reads of a layer."""
    match summary:
        case "current":
            return drive.values().total(steps)
        case "spikes":
            return summed_over_time(run.spikes)
        case "v":
            return summed_over_time(run.v)
        case "positive_v":
            return summed_over_time(run.v.clamp(min=0))
    graded = layer.neuron.primitive(run.v)
    fires = None if run.gates is None else run.gates.fires
    return summed_over_time(graded if fires is None else graded * fires)


@dataclass(frozen=True)
class Drive:
    """What reaches the neurons: the current, a bias behind its normalisation, and what is injected beside both."""

    current: Current | None
    bias: Tensor | None
    injected: Series | None

    def values(self) -> Series:
        """All of it as one series."""
        if self.current is None:
            assert self.injected is not None, "a layer without any current"
            return self.injected
        assert self.bias is not None
        return _add(Series(self.bias, True), _add(self.injected, self.current.normalised))


def _feed_forward_current(
    layer: Layer, parameters: Parameters, entries: list[Input], pre: dict[str, Series], pre_mean: dict[str, Tensor]
) -> Current | None:
    """What the weights bring, and what the inputs' running means would bring: one row of products, (1, *shape)."""
    total: Series | None = None
    shift: Tensor | None = None
    for entry in entries:
        arrived = pre[entry.name]
        w = parameters[layer.weight_name(entry)]
        if entry.name in pre_mean:
            row = entry.connection.current(w, as_row(pre_mean[entry.name], entry))
            shift = row if shift is None else shift + row
        total = _add(total, arrived.map_rows(partial(entry.connection.current, w)))
    return None if total is None else Current(total, shift)


def as_row(mean: Tensor, entry: Input) -> Tensor:
    """A running mean of an input, one a neuron or one a map, as one row (1, *pre)."""
    return mean.expand(entry.pre_shape)[None]


def _normalised(layer: Layer, statistics: CurrentStatistics | None, current: Current, training: bool) -> Current:
    if layer.normalisation is None:
        return current
    statistics = statistics or first_current_statistics(layer.shape, current.brought.values)
    rows = current.shifted.rows() if layer.normalisation.reads_batch and training else current.brought.rows()
    mean, gain = layer.normalisation.coefficients(statistics, rows, training)
    return replace(current, mean=mean, gain=gain)


def _add(a: Series | None, b: Series) -> Series:
    return b if a is None else Series(a.values + b.values, a.constant and b.constant)


def _run_through_time(
    layer: Layer, drive: Drive, steps: int, carry: Carry, summary: Summary | None, training: bool
) -> WindowActivity:
    """All steps in one scan, which applies normalisation and bias on the way and sums what is read over time."""
    dynamics = layer.neuron.dynamics()
    if dynamics is None:
        return run_steps(layer.neuron, drive.values(), steps, carry.state)
    if drive.current is None or drive.injected is not None:
        series, affine, moments = drive.values(), scans.Affine(), False
    else:
        series, affine = drive.current.brought, drive.current.affine(layer.shape, drive.bias)
        moments = training and drive.current.gain is not None and not series.constant
    rows = series.lead[-1]
    psi = psi_of(layer.neuron)
    total = TOTALS.get(summary) if summary is not None else None
    if total is scans.Total.GRADED and (psi is None or psi.shape not in scans.HAVE_PRIMITIVE):
        total = None
    found = scans.scan(
        series.flat(), steps, _flat(dynamics.beta), _flat(dynamics.v_threshold),
        RESETS[dynamics.reset], dynamics.reset_delay,
        None if carry.state is None else MembraneState(*carry.state).membrane.reshape(rows, -1),
        affine=affine, spikes=layer.neuron.spiking, spike_total=layer.neuron.spiking, total=total, psi=psi,
        moments=moments,
    )  # fmt: skip

    def shaped(value: Tensor | None) -> Tensor | None:
        return None if value is None else value.reshape(*value.shape[:-1], *layer.shape)

    v = shaped(found.v)
    assert v is not None
    spike_total = shaped(found.spike_total)
    after = MembraneState(found.u.reshape(rows, *layer.shape))
    return WindowActivity(
        v, v if found.spikes is None else found.spikes.reshape(v.shape), after, spike_total,
        spike_total if summary == "spikes" else shaped(found.total), found,
    )  # fmt: skip


TOTALS = {"positive_v": scans.Total.POSITIVE_V, "graded": scans.Total.GRADED}
"""Summaries that a scan makes beside the spikes' own."""


def _flat(value: float | Tensor) -> float | Tensor:
    return value.reshape(-1) if isinstance(value, Tensor) else value
