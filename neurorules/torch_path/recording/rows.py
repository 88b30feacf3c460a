"""The arrays of a trace, computed from the activity in a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.neuron import Gates
from neurorules.contracts.series import Series
from neurorules.network.layer import Input, Layer
from neurorules.network.network import Parameters
from neurorules.network.products import DeclaredEligibility, eligibilities_of
from neurorules.torch_path.forward.run_layer import Activity, Carry
from neurorules.torch_path.recording.plan import INPUT, RecordPlan
from neurorules.torch_path.update.eligibility_by_synapse import has_matrix, over_window
from neurorules.torch_path.update.eligibility_forwards import eligibility_over_time
from neurorules.torch_path.update.local_view import LocalView, begin_traces
from neurorules.torch_path.update.neuron_traces import Neurons
from neurorules.torch_path.update.post_values import postsynaptic

Arrays = dict[str, dict[str, np.ndarray]]
"""Arrays (T, B, ...) by layer, or connection, and variable."""


class Outcome(NamedTuple):
    """The results of a batch that a recording keeps.

    Args:
        drive: (T, B, *input) or constant (B, *input).
        predicted: classes (B,).
        activity: the activity of every layer, in order.
        m: third factors by layer; empty if no trial ran.
        sent: by layer, the error that a reverse circuit sends; empty without such a circuit.
        parameters: the parameters of the trial.
        traces: the initial values of traces that live across trials (`Learned.traces`).
        chip: the hardware that the network ran on, with its state at that time; None without a hardware model.
        layers: the layers with the neurons that ran, which are those of the hardware if there is one.
    """

    drive: Series
    predicted: Tensor
    activity: list[Activity]
    m: dict[str, Series]
    sent: dict[str, Series]
    parameters: Parameters
    traces: dict[str, Tensor]
    chip: Chip | None
    layers: tuple[Layer, ...]


def population_arrays(plan: RecordPlan, outcome: Outcome) -> Arrays:
    """Variables of populations, of all samples.

    Args:
        plan: the variables to record.
        outcome: the outcome of the batch.

    Returns:
        Arrays (T, B, *shape) by layer and variable.
    """
    arrays: Arrays = {}
    steps = outcome.activity[-1].steps
    if plan.takes_input(outcome.drive.constant):
        values = {"S": outcome.drive, "forward": outcome.drive}
        first = outcome.layers[0]
        key = f"pre.{first.inputs[0].name}"  # the name in texts, by which a chip draws
        values |= _traces(plan, outcome, 0, lambda view: Neurons(view, key, outcome.drive, None, first.neuron.psi))
        arrays[INPUT] = {v: _array(values[v], steps) for v in plan.population if v in values}
    for index, activity in enumerate(outcome.activity):
        layer = plan.model.network.layers[index]
        if not plan.takes(layer.name) or not plan.population:
            continue
        values = {"S": activity.S, "v": activity.v, "forward": activity.S}
        values |= {"m": outcome.m[layer.name]} if layer.name in outcome.m else {}
        values |= {"reverse": outcome.sent[layer.name]} if layer.name in outcome.sent else {}
        values |= _traces(plan, outcome, index, postsynaptic)
        # A read-out has no spikes of its own: its output is its membrane.
        wanted = [v for v in plan.population if v in values and (layer.role == "hidden" or v != "S")]
        arrays[layer.name] = {v: _array(values[v], steps) for v in wanted}
    return arrays


def synapse_arrays(plan: RecordPlan, outcome: Outcome, row: int) -> Arrays:
    """Variables of every synapse, of one sample.

    Args:
        plan: the variables to record.
        outcome: the outcome of the batch.
        row: place of the sample in the batch.

    Returns:
        Arrays (T, 1, *weights) by connection and variable.
    """
    arrays: Arrays = {}
    layers = {layer.name: index for index, layer in enumerate(plan.model.network.layers)}
    for layer, entry, name in plan.connections():
        view = _view(plan, outcome, layers[layer.name], row)
        values = {variable: _of_synapses(view, plan, entry, variable) for variable in plan.synapses}
        arrays[name] = {v: value[:, None].cpu().numpy() for v, value in values.items() if value is not None}
    return arrays


def _array(series: Series, steps: int) -> np.ndarray:
    return series.over_time(steps).cpu().numpy()


def _traces(
    plan: RecordPlan, outcome: Outcome, index: int, neurons: Callable[[LocalView], Neurons]
) -> dict[str, Series]:
    """The declared traces of a population that are recorded."""
    of_neurons = neurons(_view(plan, outcome, index, None))
    declared = plan.model.rule.declared_traces
    view = of_neurons.view
    if view.chip is not None and view.chip.traces and view.layer.role == "readout" and of_neurons.membrane is not None:
        return {}  # a read-out has no spikes that the chip's trace registers could count
    legal = declared.keys() if of_neurons.membrane is not None else plan.traces_of_spikes
    return {name: of_neurons.series(name) for name in declared if name in plan.population and name in legal}


def _view(plan: RecordPlan, outcome: Outcome, index: int, row: int | None) -> LocalView:
    """The view that the texts of a layer have, of all rows or of one."""
    layer, rule = outcome.layers[index], plan.model.rule
    activity, m = outcome.activity[index], outcome.m.get(layer.name)
    if row is not None:
        activity, m = _row_of(activity, row), None if m is None else _cut(m, row)
    view = LocalView(
        layer, "input", activity, m, outcome.parameters, rule.constants, rule.declared_traces, Carry(), True,
        chip=outcome.chip,
    )  # fmt: skip
    begin_traces(view, outcome.traces)
    return view


def _row_of(activity: Activity, row: int) -> Activity:
    gates = activity.gates
    if gates is not None:
        keep, admit = (g.expand_as(activity.v.values)[:, row : row + 1] for g in (gates.keep, gates.admit))
        fires = None if gates.fires is None else gates.fires.expand_as(activity.v.values)[:, row : row + 1]
        gates = Gates(keep, admit, fires, None if gates.slope is None else gates.slope[:, row : row + 1])
    pre = {name: _cut(series, row) for name, series in activity.pre.items()}
    mask = None if activity.dropout_mask is None else activity.dropout_mask[row : row + 1]
    return replace(activity, pre=pre, v=_cut(activity.v, row), S=_cut(activity.S, row), gates=gates, dropout_mask=mask)


def _cut(series: Series, row: int) -> Series:
    if series.constant:
        return Series(series.values[row : row + 1], True)
    return Series(series.values[:, row : row + 1], False)


def _of_synapses(view: LocalView, plan: RecordPlan, entry: Input, variable: str) -> Tensor | None:
    """A variable of every synapse, (T, *weights); None if the layer has no such variable."""
    match variable:
        case "G1":
            return _products(view, entry)
        case "dv_dw":
            return eligibility_over_time(view, entry)[:, 0]
    eligibility = _declared(plan, view.layer, variable)
    return None if eligibility is None else _eligibility_of_synapses(view, entry, eligibility)


def _products(view: LocalView, entry: Input) -> Tensor | None:
    """The products at each step whose sum is a connection's update, before normalisation and optimiser."""
    if view.m is None:
        return None
    reverse, forward = (s.over_time(view.activity.steps) for s in (view.m, view.activity.pre[entry.name]))
    weights = view.parameters[view.layer.weight_name(entry)]
    rows = [entry.connection.correlate(weights, r, f) for r, f in zip(reverse, forward, strict=True)]
    return torch.stack(rows)


def _declared(plan: RecordPlan, layer: Layer, name: str) -> DeclaredEligibility | None:
    """A declared eligibility of a layer, if one of its texts reads it."""
    groups = (group for text in plan.model.texts if text.plasticity.role == layer.role for group in text.groups)
    declared = (eligibility for group in groups for eligibility in eligibilities_of(group))
    return next((eligibility for eligibility in declared if eligibility.name == name), None)


def _eligibility_of_synapses(view: LocalView, entry: Input, eligibility: DeclaredEligibility) -> Tensor | None:
    """A declared eligibility of a dense layer after each step, (T, O, I); None for a layer of maps."""
    weights = view.parameters[view.layer.weight_name(entry)]
    return over_window(view, entry, eligibility)[1:, 0] if has_matrix(view, entry, weights) else None


def parameter_arrays(plan: RecordPlan, parameters: Parameters) -> dict[str, np.ndarray]:
    """The parameters that a snapshot keeps.

    Args:
        plan: the variables to record.
        parameters: all of the learner's, by full name.

    Returns:
        An array per parameter, by full name; on a CPU it shares the parameter's memory.
    """
    return {name: parameters[name].detach().cpu().numpy() for name in plan.parameters}


def many_rows(plan: RecordPlan, rows: int) -> Iterator[slice]:
    """The samples to write together: one at a time if synapses are recorded, otherwise all of them.

    Args:
        plan: the variables to record.
        rows: number of samples of the batch.

    Returns:
        An iterator over slices of the batch.
    """
    share = 1 if plan.synapses else rows
    yield from (slice(start, start + share) for start in range(0, rows, share))
