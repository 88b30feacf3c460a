"""The records of a trial's phases, and what follows from them: error, scores, and moved running averages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from neurorules.connections._products import listed_totals
from neurorules.contracts.normalisation import (
    CurrentStatistics,
    UpdateStatistics,
    first_current_statistics,
    first_update_statistics,
    over_rows,
)
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.running_mean import RATE, RunningMean, start_at
from neurorules.contracts.series import Series, per_step
from neurorules.contracts.signal import SignalState
from neurorules.contracts.target import OF_VALUES, PER_STEP, probabilities, target_rows
from neurorules.language.rules import Rule
from neurorules.language.settings import Scores, Task
from neurorules.network.layer import Layer
from neurorules.network.model import Learned, Model
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.trial import allowance
from neurorules.torch_path.update.local_view import ChangeSums, Output


@dataclass
class PhaseRecord:
    """The record of one phase: sums over the steps of its windows, and the activity of its last window.

    The rows R of a phase are the samples B, or class prototypes.

    Args:
        drive: the drive of the phase.
        steps: T.
        summary: by layer, the sum over time of the variable that the signal reads, (R, *shape).
        output: sum over time of the read-out's own output, (R, C); None until the read-out has run.
        currents: by layer, mean and mean square of the raw current over rows, times steps, (N,) or (C, 1, 1) each.
        pre: by "layer.input", mean over rows of the activity of a centred input, times steps.
        activity: the activity of the last window, by layer; empty for a linear phase.
        spikes: by hidden layer, the number of spikes of all samples; in the phase "input" of a training alone.
        psi, sent: by layer, sums over time of pseudo-derivative and output, (R, *shape), if a linear phase reads them.
        aside: the current that an offset added to the first layer's normalised current, (R, *shape); None without an
            offset.
        each_output: the read-out's output at each step, a piece (T, R, O) for each window; None if steps have no errors
            of their own.
    """

    drive: PhaseDrive
    steps: int
    summary: dict[str, Tensor] = field(default_factory=dict)
    output: Tensor | None = None
    currents: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    pre: dict[str, Tensor] = field(default_factory=dict)
    activity: list[Activity] = field(default_factory=list)
    spikes: dict[str, Tensor] = field(default_factory=dict)
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
                add_mean = _mean_sent(activity.pre[entry.name], activity.steps)
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


def _mean_sent(pre: Series, steps: int) -> Tensor:
    """The mean over rows of the activity that reaches a connection, times steps: (*pre) or (C, 1, 1)."""
    flat = not pre.constant and pre.summed is None and len(pre.shape) == 1
    totals = listed_totals(pre.rows()) if flat else None
    return over_rows(pre.total(steps)) if totals is None else totals / pre.lead[1]


def output_of(model: Model, record: PhaseRecord, labels: Tensor) -> Output:
    """Prediction and error of a phase.

    Args:
        model: network, rule and signal.
        record: the record of the phase, in which the read-out has run.
        labels: targets of the batch's own samples.

    Returns:
        Prediction, target and error, of the average output or of each step.
    """
    steps = record.steps
    if model.steps_apart:
        return compare_steps(model.rule, record.outputs, labels, model.task, model.scored_steps(steps))
    return compare_output(model.rule, model.score(record.summed_output, steps), labels, model.task)


def compare_output(rule: Rule, output: Tensor, labels: Tensor, task: Task = "classes") -> Output:
    """Prediction and error of a pass.

    Args:
        rule: names the loss and its targets.
        output: average over time of the read-out's output, (B, O); or its output at some steps, (n, B, O).
        labels: targets of the task, for each sample or each of these steps: class indices, or vectors of O.
        task: the kind of targets.

    Returns:
        Prediction, target and error, of the output's shape. For cross-entropy the prediction is softmax(output), or for
        several labels sigmoid(output), in 0..1.
    """
    target = target_rows(labels, output.shape[-1], output)
    if task in OF_VALUES:
        return Output(output, target, output - target)
    if rule.loss == "cross_entropy":
        prediction = probabilities(output, task)
        return Output(prediction, target, prediction - target)
    hit, miss = rule.targets
    target = miss + (hit - miss) * target
    return Output(output, target, output - target)


def compare_steps(rule: Rule, outputs: Tensor, labels: Tensor, task: Task, scored: int) -> Output:
    """Prediction and error of a pass in which each step has an error of its own.

    Args:
        rule: names the loss and its targets.
        outputs: the read-out's output at each step, (T, B, O).
        labels: targets of the task.
        task: the kind of targets.
        scored: the number of last steps that count, 1 .. T.

    Returns:
        Prediction, target and error for each step, (T, B, O): computed from the output of the step or from the average
        over the steps that count, divided by their number, and 0 at earlier steps.
    """
    first, last = len(outputs) - scored, outputs[len(outputs) - scored :]
    if task in PER_STEP or rule.errors == "step":
        own = labels[:, first:].transpose(0, 1) if task in PER_STEP else labels.expand(scored, *labels.shape)
        compared = compare_output(rule, last, own, task)
    else:
        compared = compare_output(rule, last.mean(0), labels, task)
    values = ((value / scored).expand_as(last) for value in compared)
    if not first:
        return Output(*values)
    before = outputs.new_zeros(first, *outputs.shape[1:])
    return Output(*(torch.cat([before, value]) for value in values))


def class_scores(model: Model, learned: Learned, records: Mapping[str, PhaseRecord]) -> Tensor:
    """Scores of a batch: from the read-out, or from the signal if the rule predicts without a read-out.

    Args:
        model: network, rule and signal.
        learned: current parameters and state.
        records: the records of the phases, by name.

    Returns:
        One score per sample and class or output, (B, O), an average over all steps or over the last ones; the largest
        score is the prediction. Where there is a target for each step, the outputs of all steps, (B, T, O).
    """
    scored_phase = records[model.rule.score_phase]
    steps = scored_phase.steps
    if model.steps_apart:
        outputs, scored = scored_phase.outputs, model.scored_steps(steps)
        return outputs.transpose(0, 1) if model.task in PER_STEP else outputs[steps - scored :].mean(0)
    if model.rule.predict == "readout" or model.signal is None:
        return model.score(scored_phase.summed_output, steps)
    summary = {
        layer.name: {p: per_step(r.summary[layer.name], steps) for p, r in records.items() if layer.name in r.summary}
        for layer in model.network.hidden
    }
    return allowance.scores(model, learned, summary)


def moved(
    model: Model, before: Learned, records: Mapping[str, PhaseRecord], sums: ChangeSums, state: SignalState,
    samples: int,
) -> Learned:  # fmt: skip
    """Give everything that is learned after a trial, apart from the parameters.

    Args:
        model: network, rule and signal.
        before: everything learned before the trial; it is not modified.
        records: the records of the phases, by name.
        sums: the sums of the changes of every layer.
        state: the state of the signal after every layer has learned.
        samples: number of samples of the trial, B.

    Returns:
        Everything learned, with running averages, signal state and traces after the trial, and unchanged parameters.
    """
    return Learned(
        before.parameters, _moved_currents(model, before, records, samples),
        _moved_pre(model, before, records, samples), _moved_updates(before, sums, samples), state,
        {**before.traces, **sums.traces},
    )  # fmt: skip


def _moved_currents(
    model: Model, learned: Learned, records: Mapping[str, PhaseRecord], samples: int
) -> dict[str, CurrentStatistics]:
    """The statistics of currents, by "phase.layer", after the phases that have statistics of their own."""
    averages = dict(learned.current)
    for phase, record in records.items():
        for layer in model.network.layers:
            name = f"{phase}.{layer.name}"
            if layer.name not in record.currents or model.statistics_names[phase, layer.name] != name:
                continue
            mean, square = (value / record.steps for value in record.currents[layer.name])
            before = averages.get(name) or first_current_statistics(layer.shape, mean)
            averages[name] = CurrentStatistics(
                before.mean.updated(mean, samples, RATE),
                before.square.updated(square, samples, RATE),
            )
    return averages


def _moved_pre(
    model: Model, learned: Learned, records: Mapping[str, PhaseRecord], samples: int
) -> dict[str, RunningMean]:
    """The running means of centred inputs, by "phase.layer.input", after the same phases."""
    averages = dict(learned.pre)
    for phase, record in records.items():
        for key, total in record.pre.items():
            name, layer = f"{phase}.{key}", key.split(".")[0]
            if model.statistics_names[phase, layer] != f"{phase}.{layer}":
                continue
            before = averages.get(name) or start_at(0.0, tuple(total.shape), total)
            averages[name] = before.updated(total / record.steps, samples, RATE)
    return averages


def _moved_updates(learned: Learned, sums: ChangeSums, samples: int) -> dict[str, UpdateStatistics]:
    """The statistics of updates, by "phase.layer.parameter.group", from their sums over the steps of the trial."""
    averages = dict(learned.update)
    for name, (mean, product, steps) in sums.update_sums.items():
        before = averages.get(name) or first_update_statistics(tuple(mean.shape), mean)
        averages[name] = UpdateStatistics(
            before.mean.updated(mean / steps, samples, RATE),
            before.product.updated(product / steps, samples, RATE),
        )
    return averages
