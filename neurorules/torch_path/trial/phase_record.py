"""The record of one phase of a trial: sums over time, and the activity of its last window."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from neurorules.contracts.normalisation import over_rows
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.language.settings import Scores
from neurorules.network.layer import Layer
from neurorules.torch_path.forward.run_layer import Activity


@dataclass
class PhaseRecord:
    """The record of one phase: sums over the steps of its windows, and the activity of its last window.

    The rows R of a phase are the samples B, or class prototypes.

    Args:
        drive: the drive of the phase.
        summary: by layer, the sum over time of the variable that the signal reads, (R, *shape).
        output: sum over time of the read-out's own output, (R, C); None until the read-out has run.
        currents: by layer, mean and mean square of the raw current over rows, times steps, (N,) or (C, 1, 1) each.
        pre: by "layer.input", mean over rows of the activity of a centred input, times steps.
        activity: the activity of the last window, by layer; empty for a linear phase.
        psi, sent: by layer, sums over time of pseudo-derivative and output, (R, *shape), if a linear phase reads them.
        aside: the current that an offset added to the first layer's normalised current, (R, *shape); None without an
            offset.
        each_output: the read-out's output at each step, a piece (T, R, O) for each window; None if steps have no errors
            of their own.
    """

    drive: PhaseDrive
    summary: dict[str, Tensor] = field(default_factory=dict)
    output: Tensor | None = None
    currents: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    pre: dict[str, Tensor] = field(default_factory=dict)
    activity: list[Activity] = field(default_factory=list)
    psi: dict[str, Tensor] = field(default_factory=dict)
    sent: dict[str, Tensor] = field(default_factory=dict)
    aside: Tensor | None = None
    each_output: list[Tensor] | None = None

    @property
    def summed_output(self) -> Tensor:
        """Sum over time of the read-out's output, (R, C).

        Raises:
            LookupError: the read-out has not run in this phase.
        """
        if self.output is None:
            raise LookupError("the read-out has not run in this phase")
        return self.output

    @property
    def outputs(self) -> Tensor:
        """The read-out's output at each step, (T, R, O).

        Raises:
            LookupError: the output of single steps has not been stored.
        """
        if not self.each_output:
            raise LookupError("the read-out's output at each step has not been kept in this phase")
        return torch.cat(self.each_output)


def add_to(sums: dict[str, Tensor], name: str, value: Tensor) -> None:
    """Add a value to the sum of its name, which is created by the first value.

    Args:
        sums: the sums by name, changed in place; the tensor of the name is replaced.
        name: the name of the sum.
        value: the value to add; all values of a name have the same shape.
    """
    sums[name] = sums[name] + value if name in sums else value


def add_sums(record: PhaseRecord, layer: Layer, activity: Activity, scores: Scores) -> None:
    """Add the activity of one layer in one window to the sums over time of a phase.

    Args:
        record: the record of the phase; changed in place.
        layer: the layer of the activity.
        activity: the activity of the window, T steps and R rows.
        scores: which variable of a spiking read-out is its output.
    """
    if activity.moments is not None:
        mean, square = activity.moments
        before = record.currents.get(layer.name)
        record.currents[layer.name] = (mean, square) if before is None else (before[0] + mean, before[1] + square)
    if layer.centres_inputs:
        for entry in layer.inputs:
            if entry.name in activity.pre and not entry.connection.recurrent:
                add_mean = over_rows(activity.pre[entry.name].total(activity.steps))
                key = f"{layer.name}.{entry.name}"
                record.pre[key] = record.pre[key] + add_mean if key in record.pre else add_mean
    if layer.role == "readout":
        series = activity.v if layer.neuron.spiking and scores == "membrane" else activity.S
        total = series.total(activity.steps)
        record.output = total if record.output is None else record.output + total
        if record.each_output is not None:
            record.each_output.append(series.over_time(activity.steps))
    elif activity.summary is not None:
        add_to(record.summary, layer.name, activity.summary)
