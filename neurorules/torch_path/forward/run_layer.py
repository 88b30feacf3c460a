"""Running layers through time: all steps of a layer at once, or a window of them, with explicit state.

The linear part of a layer is one product over time x batch. Only the neuron's recursion, together with recurrent
connections, runs through time: in a fused scan if one exists for the neuron, and otherwise step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any, Literal

from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.device_hooks import Place
from neurorules.contracts.neuron import Gates, MembraneState, Neuron
from neurorules.contracts.normalisation import CurrentStatistics
from neurorules.contracts.phase_drive import Offset
from neurorules.contracts.series import Later, Series, series_of
from neurorules.contracts.view import Summary
from neurorules.native import scans
from neurorules.network.layer import Input, Layer, Masks, arrive
from neurorules.network.network import Parameters
from neurorules.network.post_forms import slopes
from neurorules.torch_path.forward.drive import Current, Drive, feed_forward_current, joined, normalised, transmitted
from neurorules.torch_path.forward.fused_loop import run_fused
from neurorules.torch_path.forward.offset import offset_current, with_offset
from neurorules.torch_path.forward.step_by_step import WindowActivity, own_spikes, run_loop, run_steps, sum_of

Variable = Literal["v", "spikes", "output"]
"""Activity at every step that may not be worth storing: membranes, spikes, or the output of a read-out."""


@dataclass
class Activity:
    """The activity of one layer in one phase, over a window of T steps and B rows.

    Args:
        steps: T.
        sources: by input, spikes of its source before the transforms, (T, B, *source) or constant (B, *source).
        pre: by input, the activity that reaches its connection, (T, B, *pre) or constant (B, *pre).
        pre_mean: by input, running means that were subtracted from `pre`, (*pre) or (C, 1, 1); empty for none.
        current: the synaptic current and its normalisation; None for a layer that only an injected current drives.
        moments: means over rows of the current and its square, times T; None without normalisation.
        v: membrane before the reset, (T, B, *shape), in units of the threshold.
        S: spikes 0 or 1, or the graded output of a rate neuron, (T, B, *shape).
        summary: sum over time of the variable that the signal reads, (B, *shape); None if it reads none.
        aside: the current that an offset added to the raw current, (B, *shape); None without an offset.
        inner, gates: the result of the neurons' inner integration, and the gates of their steps; None for neurons that
            have none.
        dropout_mask: dropout's mask of the neurons' own output, (B, *shape); None without dropout.
        inflow: computes the whole current of the neurons, with bias and recurrent current, (T, B, *shape) or constant
            (B, *shape); None where no current is known, as on a chip that shows membranes alone.
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
    dropout_mask: Tensor | None = None
    inflow: Callable[[], Series] | None = None

    @property
    def gain(self) -> Tensor | None:
        """1/sigma of the normalisation; None if there is none."""
        return None if self.current is None else self.current.gain

    def psi(self, neuron: Neuron, v: Tensor) -> Tensor:
        """The neurons' pseudo-derivative, 0 in steps in which they cannot spike; or how spikes move in time (`Gates`).

        Args:
            neuron: the neuron of the layer.
            v: membrane before the reset, (T, B, *shape).

        Returns:
            psi, (T, B, *shape).
        """
        if self.gates is not None and self.gates.slope is not None:
            return self.gates.slope
        slope = slopes(neuron, v)
        return slope if self.gates is None or self.gates.fires is None else slope * self.gates.fires


@dataclass
class Carry:
    """The state of one layer that passes from a window to the next.

    Args:
        state: the neurons' own state, whatever its type; None before the first window.
        spikes: the spikes of the last step, (B, *shape), which act one step later; None before the first window.
        past: the spikes of the last D steps, (D, B, *shape), if the longest recurrent delay is D > 1; else None.
        traces: traces of texts and the state of dynamic connections, by name.
    """

    state: tuple[Any, ...] | None = None
    spikes: Tensor | None = None
    past: Tensor | None = None
    traces: dict[str, Tensor] = field(default_factory=dict)


def run_layer(
    layer: Layer, parameters: Parameters, statistics: CurrentStatistics | None, sources: dict[str, Series], steps: int,
    *, pre_mean: dict[str, Tensor] | None = None, carry: Carry | None = None, injected: Series | None = None,
    offset: Offset | None = None, raw: Current | None = None, masks: Masks | None = None, training: bool = False,
    summary: Summary | None = None, chip: Chip | None = None, place: Place | None = None, repeats: int = 1,
    needs: Callable[[Variable], bool] | None = None,
) -> tuple[Activity, Carry]:  # fmt: skip
    """Run one layer over a window of steps.

    Args:
        layer: the layer to run.
        parameters: the network's weights and biases.
        statistics: running statistics of its current; fresh ones if None.
        sources: spikes of the source of each feed-forward input, by input; empty if only `injected` drives the layer.
        steps: T, the length of the window.
        pre_mean: running means of the inputs to subtract, by input; none if None.
        carry: the state after the previous window; the neurons begin at rest if None.
        injected: current added after the normalisation, such as a target's, (B, *shape) or (T, B, *shape).
        offset: constant activity that reaches the first connection beside its source's spikes.
        raw: the raw current of the same sources and weights if it was computed before; otherwise None.
        masks: dropout masks of the trial.
        training: whether the statistics of the batch are used, and running statistics are updated.
        summary: the variable of which the signal reads the sum over time.
        chip: the hardware that the layer runs on; None without a hardware model.
        place: the place of the window, for a chip whose read-out of membranes is not exact.
        repeats: how often the rows of the sources are repeated (`PhaseDrive.repeats`).
        needs: says whether a variable is worth storing rather than computed when it is first read; stored if None.

    Returns:
        The activity of the layer, and its state after the window.

    Raises:
        UserError: there is an offset, and the connection is dynamic.
    """
    carry, masks, pre_mean = carry or Carry(), masks or {}, pre_mean or {}
    entries = [entry for entry in layer.inputs if entry.name in sources]
    pre = {entry.name: _arriving(layer, entry, sources[entry.name], masks, steps, carry) for entry in entries}
    if raw is None and entries:
        raw = feed_forward_current(layer, parameters, entries, pre, pre_mean)
    aside = None
    if offset is not None:
        aside = offset_current(layer, parameters, offset, masks)
        pre |= with_offset(layer, offset, pre, masks)
    current = _normalised(layer, statistics, raw, aside, training)
    drive = Drive(current, None if current is None else parameters[layer.bias_name], injected, repeats)
    loops = [entry for entry in layer.inputs if entry.connection.recurrent]
    if loops:
        run = _run_loops(layer, parameters, loops, drive, steps, carry, training)
    else:
        run = _run_through_time(layer, drive, steps, carry, summary, training, needs)
    late, past = own_spikes(run, loops, carry.spikes, carry.past) if loops else ({}, None)
    run = _observed(chip, place, run)
    read = run.summary if summary is None or run.summary is not None else sum_of(summary, layer, run, drive, steps)
    moments = current.moments(steps, run.scan) if training and current and current.gain is not None else None
    activity = Activity(
        steps, sources | late, pre | late, pre_mean, current, moments, series_of(run.v),
        series_of(run.spikes, run.spike_total), read, aside, run.inner, run.gates,
        inflow=None if chip is not None and chip.observes else partial(drive.inflow, layer, parameters, late),
    )  # fmt: skip
    return activity, Carry(run.after, run.fired[-1] if loops else None, past, carry.traces)


def _arriving(layer: Layer, entry: Input, spikes: Series, masks: Masks, steps: int, carry: Carry) -> Series:
    """The activity that reaches a connection from its source: through the transforms, and as its synapses transmit it.

    Args:
        layer: the layer that reads the source.
        entry: its input.
        spikes: the spikes of the source, (T, B, *source) or constant (B, *source).
        masks: dropout masks of the trial.
        steps: T.
        carry: the layer's state between windows; that of dynamic synapses is updated in place.

    Returns:
        The activity, (T, B, *pre) or constant (B, *pre).
    """
    arriving = arrive(layer, entry, spikes, masks) if entry.transforms else spikes
    efficacy = entry.connection.efficacy
    return arriving if efficacy is None else transmitted(entry.name, efficacy, arriving, steps, carry.traces)


def _normalised(
    layer: Layer, statistics: CurrentStatistics | None, raw: Current | None, aside: Tensor | None, training: bool
) -> Current | None:
    """The current of a layer with its normalisation.

    Args:
        layer: the layer.
        statistics: running statistics of its current; fresh ones if None.
        raw: the current that the weights bring; None if no input is driven.
        aside: the current that an offset adds, (B, *shape); None without an offset.
        training: whether the statistics of the batch are used.

    Returns:
        The current; None if only an injected current drives the layer.
    """
    synaptic = None if raw is None else raw.synaptic
    if aside is not None:
        synaptic = joined(synaptic, Series(aside, True))
    if synaptic is None:
        return None
    current = Current(synaptic, None if raw is None else raw.shift)
    if layer.normalisation is None:
        return current
    return normalised(layer.normalisation, layer.shape, statistics, current, training)


def _observed(chip: Chip | None, place: Place | None, run: WindowActivity) -> WindowActivity:
    """The activity of a population as a chip shows it: true spikes, and membranes as it reads them out at `place`."""
    if chip is None or place is None or not chip.observes:
        return run
    v = chip.observed(place, run.membranes)
    return run._replace(v=v, spikes=v if run.spikes is run.v else run.spikes, summary=None)


def _run_loops(
    layer: Layer, parameters: Parameters, loops: list[Input], drive: Drive, steps: int, carry: Carry, training: bool
) -> WindowActivity:  # fmt: skip
    """Run a layer that reads its own spikes: in one scan if there is one for its neurons, else step by step."""
    before = (carry.state, carry.spikes, carry.past)
    run = run_fused(layer, parameters, loops, drive, steps, before[:2], training)
    gain = None if drive.current is None else drive.current.gain
    return run or run_loop(layer, parameters, loops, drive.values(), steps, before, gain)


def _run_through_time(
    layer: Layer, drive: Drive, steps: int, carry: Carry, summary: Summary | None, training: bool,
    needs: Callable[[Variable], bool] | None,
) -> WindowActivity:  # fmt: skip
    """Run all steps in one scan, which also applies normalisation and bias, and sums over time what the signal reads.

    Neurons that no scan can run take one step after the other.

    Args:
        layer: the layer, without recurrent connections.
        drive: its currents, (T, B, *shape) or constant (B, *shape).
        steps: T.
        carry: the state of the neurons before the window.
        summary: the variable that the signal reads; None for none.
        training: whether the moments of the current are needed.
        needs: says whether membranes or spikes are read as they are; None to store them in any case.

    Returns:
        Membranes, spikes and sums over time of the window.
    """
    dynamics, psi = layer.dynamics, layer.psi
    if dynamics is None:
        run = run_fused(layer, {}, [], drive, steps, (carry.state, None), training)
        return run or run_steps(layer.neuron, drive.values(), steps, carry.state)
    series, affine, moments = drive.for_scan(layer.shape, training)
    currents = series.flat()
    rows = currents.shape[-2]
    total = TOTALS.get(summary) if summary is not None else None
    if total is scans.Total.GRADED and (psi is None or psi.shape not in scans.HAVE_PRIMITIVE):
        total = None
    inputs = scans.scan_inputs(
        currents, steps, _flat(dynamics.beta), _flat(dynamics.v_threshold),
        scans.RESETS[dynamics.reset], dynamics.reset_delay,
        None if carry.state is None else MembraneState(*carry.state).membrane.reshape(rows, -1),
        affine=affine, spikes=layer.neuron.spiking, spike_total=layer.neuron.spiking, total=total, psi=psi,
        moments=moments,
    )  # fmt: skip
    many = layer.neuron.spiking and steps * rows * prod(layer.shape) >= MANY and scans.reruns(inputs)
    later, unsent = (many and needs is not None and not needs(variable) for variable in ("v", "spikes"))
    inputs = inputs.own() if later or unsent else inputs
    scan = scans.run(inputs._replace(keep_v=not later, spike_dtype=None if unsent else inputs.spike_dtype))
    shape, stored = (steps, rows, *layer.shape), _shaped(scan.v, layer)
    v = Later(shape, partial(scans.membranes, inputs), inputs) if stored is None else stored
    spike_total, after = _shaped(scan.spike_total, layer), MembraneState(scan.u.reshape(rows, *layer.shape))
    spikes: Tensor | Later = v
    if layer.neuron.spiking:
        spikes = Later(shape, partial(scans.spikes, inputs)) if scan.spikes is None else scan.spikes.reshape(shape)
    summed = spike_total if summary == "spikes" else _shaped(scan.total, layer)
    return WindowActivity(v, spikes, after, spike_total, summed, scan)


MANY = 1 << 18
"""The number of membranes from which on computing them again is cheaper than storing them."""
TOTALS = {"positive_v": scans.Total.POSITIVE_V, "graded": scans.Total.GRADED}
"""Summaries that a scan computes in addition to the sum of the spikes."""


def _shaped(value: Tensor | None, layer: Layer) -> Tensor | None:
    return None if value is None else value.reshape(*value.shape[:-1], *layer.shape)


def _flat(value: float | Tensor) -> float | Tensor:
    return value.reshape(-1) if isinstance(value, Tensor) else value
