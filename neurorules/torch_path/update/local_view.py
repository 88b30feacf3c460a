"""The local view on which the texts of a layer are evaluated, with the output's error for a read-out, and the sums that
changes are added to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.normalisation import UpdateStatistics, first_update_statistics, over_rows
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.series import Series
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import Statistics
from neurorules.native import scans
from neurorules.network.layer import Layer
from neurorules.torch_path.forward.drive import flat
from neurorules.torch_path.forward.run_layer import Activity, Carry


class Output(NamedTuple):
    """Prediction and error of a pass.

    Args:
        p: prediction, (B, O); or one at each step, (T, B, O), if each step has an error of its own.
        y: its target, likewise.
        m: derivative of the rule's loss with respect to the average output, (B, O), or to the output of each step, (T,
            B, O). In the second case p, y and m are divided by the number of steps that count, and are 0 at all others.
    """

    p: Tensor
    y: Tensor
    m: Tensor

    def of_neurons(self, per_class: int) -> Output:
        """Hand prediction and error of each class to all its read-out neurons.

        Args:
            per_class: number of read-out neurons of each class, >= 1.

        Returns:
            Values of (B, O * per_class).
        """
        return self if per_class == 1 else Output(*(value.repeat_interleave(per_class, -1) for value in self))

    def spread(self, steps: int, start: int, stop: int) -> Output:
        """Divide the output of a window's steps by the steps of a trial, over which the value of a text is summed.

        Args:
            steps: the number of steps of the trial, T.
            start: first step of the window.
            stop: the step after its last one.

        Returns:
            The divided values, (B, O) or (stop - start, B, O).
        """
        if self.m.ndim == 3:
            return Output(*(value[start:stop] for value in self))
        return Output(*(value / steps for value in (self.p, self.y, self.m)))


@dataclass
class ChangeSums:
    """Sums of a layer's changes over the windows of a trial.

    Args:
        changes: by parameter, the sum over steps and rows of the text's value.
        update_sums: by name of an update's statistics, means over rows of d and of d I^, times steps, and the number of
            steps.
        traces: by "phase.layer.trace", where a trace that lives across trials begins the next one, (*shape).
    """

    changes: dict[str, Tensor] = field(default_factory=dict)
    update_sums: dict[str, tuple[Tensor, Tensor, int]] = field(default_factory=dict)
    traces: dict[str, Tensor] = field(default_factory=dict)

    def add(self, name: str, change: Tensor) -> None:
        """Add to the change of a parameter.

        Args:
            name: the name of the parameter.
            change: the change of its shape. The first one is stored and later changed in place, so it must not share
                memory with another tensor.
        """
        self.changes[name] = self.changes[name].add_(change) if name in self.changes else change

    def add_update(self, name: str, mean: Tensor, product: Tensor, steps: int) -> None:
        """Add to the statistics of an update.

        Args:
            name: the name of the statistics.
            mean: mean over rows of the post factor d, (N,) or (C, 1, 1), times `steps`.
            product: mean over rows of d I^, likewise.
            steps: the number of steps of the window, >= 1.
        """
        if name in self.update_sums:
            before = self.update_sums[name]
            mean, product, steps = before[0] + mean, before[1] + product, before[2] + steps
        self.update_sums[name] = (mean, product, steps)

    def add_rows(self, name: str, total: Tensor, product: Tensor, shape: tuple[int, ...], steps: int) -> None:
        """Add to the statistics of an update what a scan has summed over time.

        Args:
            name: the name of the statistics.
            total: sum over time of the post factor d, (B, N).
            product: sum over time of d I^, likewise.
            shape: the shape of the population, of N neurons.
            steps: the number of steps of the window, >= 1.
        """
        rows = (-1, *shape)
        self.add_update(name, over_rows(total.reshape(rows)), over_rows(product.reshape(rows)), steps)


@dataclass(frozen=True)
class LocalView:
    """Everything that the texts of one layer can see in one phase and window. Nothing in it leads to another layer.

    Args:
        layer: the layer whose parameters change.
        phase: name of the phase.
        activity: the activity of this layer in this phase.
        m: third factor, (T, B, *shape) or constant (B, *shape); None for rules without one.
        parameters: the layer's own parameters by full name, since texts may read the weight; those of other layers are
            left out.
        constants: the constants of the rule, by name.
        traces: the declared traces of the rule, by name.
        carry: state of the traces between windows; updated in place.
        whole: whether the window is the whole trial, so that eligibilities can be computed backwards.
        output: prediction and target, spread over the trial's steps, for a read-out's texts; otherwise None.
        context: the tensor that a signal's parameter was multiplied with to drive the phase (`PhaseDrive.context`).
        instant: whether the layers below get the post factor of the step alone, even from a text that goes through time
            (`dv_dw`).
        hands_down: whether the layers below get anything, so that the text `sent` is evaluated.
        chip: the hardware that the layer runs on; None without a hardware model.
        first: the window's first step.
        traced: the traces of this window that a text has read already, by name; a trace advances once per window.
    """

    layer: Layer
    phase: str
    activity: Activity
    m: Series | None
    parameters: Mapping[str, Tensor]
    constants: Mapping[str, float]
    traces: Mapping[str, Trace]
    carry: Carry
    whole: bool
    output: Output | None = None
    context: Tensor | None = None
    instant: bool = False
    hands_down: bool = True
    chip: Chip | None = None
    first: int = 0
    traced: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = {name: value for name, value in self.parameters.items() if key_of(name).layer == self.layer.name}
        object.__setattr__(self, "parameters", MappingProxyType(own))


def way_through(view: LocalView, averages: UpdateStatistics | None, way: Statistics) -> scans.Through | None:
    """The path of a factor back through a layer's normalisation, in the form that scans take.

    Args:
        view: the local view on which the texts are evaluated.
        averages: running averages of the update; fresh ones if None.
        way: how the normalisation's mean and deviation are treated (`Plasticity.statistics`).

    Returns:
        The path; None for a normalisation that reads the batch.
    """
    layer, current = view.layer, view.activity.current
    if current is None or layer.normalisation is None or layer.normalisation.reads_batch:
        return None
    moving = averages if way == "moving" else None
    moving = moving or first_update_statistics(layer.shape, current.synaptic.values)
    mean_d, mean_product = (flat(value.value, layer.shape) for value in moving)
    return scans.Through(current.synaptic.flat(), current.affine(layer.shape), mean_d, mean_product)


def begin_traces(view: LocalView, stored: Mapping[str, Tensor]) -> None:
    """Let the traces of a layer begin, in every row, at the values that the previous trial stored; at 0 in the first
    trial.

    Args:
        view: the local view of the layer, before the first step of a trial; its carry is changed.
        stored: by "phase.layer.trace", (*shape).
    """
    shape = view.layer.shape
    rows = view.activity.v.lead[-1]
    for name, trace in view.traces.items():
        value = stored.get(f"{view.phase}.{view.layer.name}.{name}") if trace.across_trials else None
        if value is not None:
            first = value.expand(rows, *shape)
            view.carry.traces[f"post.{name}"] = first if trace.spikes == "nearest" else first.reshape(rows, prod(shape))


def keep_traces(view: LocalView, sums: ChangeSums) -> None:
    """Store the values at which the traces of a layer begin the next trial: the mean over rows of their last values.

    Args:
        view: the local view of the layer, after the last step of a trial.
        sums: the sums that the means of all traces read by texts are added to.
    """
    for name, trace in view.traces.items():
        value = view.carry.traces.get(f"post.{name}") if trace.across_trials else None
        if value is not None:
            means = value.reshape(len(value), *view.layer.shape).mean(0)
            sums.traces[f"{view.phase}.{view.layer.name}.{name}"] = means
