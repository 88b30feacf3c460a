"""One trial: the phases run, the signal makes third factors, the texts make changes, the averages move.

With a window of all T steps the layers run one after the other, each over all steps (schedule `by_layer`). With a
shorter one all layers advance together, window by window, in memory that does not grow with T; where the third factor
is known only at the end of the trial, the trial is replayed to learn from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.language.rules import Phase
from neurorules.normalisations._shared import (
    CurrentStatistics,
    UpdateStatistics,
    first_current_statistics,
    first_update_statistics,
    over_rows,
)
from neurorules.series import Series
from neurorules.signals._shared import LayerShape, PhaseDrive, SignalState, ThirdFactor, View, one_hot
from neurorules.streaming import RunningMean, start_at
from neurorules.torch_path.layer import NETWORK_INPUT, Layer, Masks, carry_back, draw_masks
from neurorules.torch_path.local_view import Gathered, LocalView
from neurorules.torch_path.model import Learned, Model
from neurorules.torch_path.plasticity import learn_layer
from neurorules.torch_path.simulate import Activity, Carry, run_layer
from neurorules.torch_path.simulate_backwards import through_own_loop

STATISTICS_RATE = 0.1
"""Share of the way to a trial of 128 samples' mean that every running average moves. Source: measured, docs/results."""


@dataclass
class PhaseRecord:
    """Sums over one phase's windows, and its last window's activity.

    Args:
        summary: by layer, time sum of what the signal reads.
        output: time sum of the read-out's membrane, (rows, classes).
        pre: by "layer.input", mean of what a centred input brought, times steps.
        currents: by layer, (mean, mean square) of the raw current over rows, times steps.
        activity: of the last window, by layer.
        drive: what drove it.
    """

    drive: PhaseDrive
    summary: dict[str, Tensor] = field(default_factory=dict)
    output: Tensor | None = None
    currents: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    pre: dict[str, Tensor] = field(default_factory=dict)
    activity: list[Activity] = field(default_factory=list)


@dataclass(frozen=True)
class TrialResult:
    """What a trial found; nothing has been changed yet.

    Args:
        gradients: by parameter, minus the change the texts ask for, averaged over samples.
        scores: (B, classes).
        learned: statistics and signal state after the trial, the parameters as they were.
        spikes: by layer, spikes a sample.
        activity: of the phase "input", the last window.
    """

    gradients: dict[str, Tensor]
    scores: Tensor
    learned: Learned
    spikes: dict[str, Tensor]
    activity: list[Activity]


@dataclass(frozen=True)
class Trial:
    """One batch on one model.

    Args:
        model: network, rule, signal.
        learned: parameters and state as they are.
        drive: the samples, (T, B, *input) or constant (B, *input).
        steps: T.
        window: steps at a time, T for `by_layer`, 1 for `by_step`.
        labels: (B,) class indices; None at inference.
        masks: dropout masks.
    """

    model: Model
    learned: Learned
    drive: Series
    steps: int
    window: int
    labels: Tensor | None
    masks: Masks

    def phase_drive(self, phase: Phase, output_error: Tensor | None) -> PhaseDrive:
        """What drives a phase."""
        if phase.name == "input" or self.model.signal is None:
            return PhaseDrive(self.drive)
        return self.model.signal.drive(
            phase.name, self.learned.signal, self.learned.parameters, self.model.shape, self.drive, output_error, self.labels
        )

    def windows(self, phase: Phase, drive: PhaseDrive, training: bool) -> Iterator[tuple[int, list[Activity]]]:
        """Run one phase window by window: (first step, activity of each layer)."""
        carries = [Carry() for _ in self.model.network.layers]
        signal = self.model.signal
        # Masks are the samples' own: class prototypes, which are other rows, run without dropout.
        masks = self.masks if training and (phase.name == "input" or phase.replay) else None
        for start in range(0, self.steps, self.window):
            stop = min(start + self.window, self.steps)
            done: list[Activity] = []
            for index, layer in enumerate(self.model.network.layers):
                sources, injected = self._sources(layer, index, drive, done, start, stop)
                name = self.model.phase_statistics(phase.name, layer.name)
                statistics = self.learned.current.get(name)
                activity, carries[index] = run_layer(
                    layer, self.learned.parameters, statistics, sources, stop - start,
                    pre_mean=self._pre_means(layer, name, sources), carry=carries[index],
                    injected=injected, offset=drive.offset if index == 0 else None,
                    masks=masks, training=training,
                    summary=signal.summary if signal is not None and layer.role == "hidden" else None,
                )  # fmt: skip
                done.append(activity)
            yield start, done

    def _pre_means(self, layer: Layer, name: str, sources: dict[str, Series]) -> dict[str, Tensor]:
        return {
            entry: self.learned.pre[f"{name}.{entry}"].value
            for entry in sources
            if layer.centres_inputs and f"{name}.{entry}" in self.learned.pre
        }

    def _sources(
        self, layer: Layer, index: int, drive: PhaseDrive, done: list[Activity], start: int, stop: int
    ) -> tuple[dict[str, Series], Series | None]:
        sources: dict[str, Series] = {}
        for entry in layer.inputs:
            if entry.connection.recurrent:
                continue
            if entry.source != NETWORK_INPUT:
                sources[entry.name] = done[entry.source].S
            elif drive.input is not None:
                sources[entry.name] = drive.input.window(start, stop)
        injected = None if index or drive.injected is None else Series(drive.injected, True)
        return sources, injected


def observe_phase(trial: Trial, phase: Phase, output_error: Tensor | None, training: bool) -> PhaseRecord:
    """Run a phase once, and keep sums over time only (and the activity where one window is all)."""
    record = PhaseRecord(trial.phase_drive(phase, output_error))
    for _, activities in trial.windows(phase, record.drive, training):
        for layer, activity in zip(trial.model.network.layers, activities, strict=True):
            _add_sums(trial, record, layer, activity)
        record.activity = activities
    return record


def _add_sums(trial: Trial, record: PhaseRecord, layer: Layer, activity: Activity) -> None:
    def add(into: dict[str, Tensor], value: Tensor) -> None:
        into[layer.name] = into[layer.name] + value if layer.name in into else value

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
        total = activity.v.total(activity.steps)
        record.output = total if record.output is None else record.output + total
    elif activity.summary is not None:
        add(record.summary, activity.summary)


def class_scores(model: Model, learned: Learned, records: dict[str, PhaseRecord], steps: int) -> Tensor:
    """(B, classes): from the read-out, or from the signal where the rule predicts without one."""
    output = records["input"].output
    assert output is not None
    if model.rule.predict == "readout" or model.signal is None:
        return output / steps
    last = model.network.hidden[-1]
    summary = {phase: record.summary[last.name] / steps for phase, record in records.items() if record.summary}
    return model.signal.scores(learned.signal, learned.parameters, model.shape.layers[-2], summary)


def learn_trial(
    model: Model, learned: Learned, drive: Series, steps: int, labels: Tensor, generator: torch.Generator,
    window: int | None = None,
) -> TrialResult:  # fmt: skip
    """Run one trial and return what it asks to change.

    Args:
        model: network, rule, signal.
        learned: parameters and state as they are; not modified.
        drive: samples, (T, B, *input) or constant (B, *input).
        steps: T.
        labels: (B,) class indices.
        generator: draws dropout masks.
        window: steps at a time; T if None.

    Raises:
        UserError: a rule or normalisation that needs all steps at once, with a shorter window.
    """
    samples = drive.values.shape[0 if drive.constant else 1]
    window = window or steps
    _check_window(model, window, steps)
    if model.signal is not None:
        learned = replace(learned, signal={**learned.signal, **model.signal.observe(learned.signal, drive, labels)})
    trial = Trial(model, learned, drive, steps, window, labels, draw_masks(model.network.layers, samples, generator))
    records: dict[str, PhaseRecord] = {}
    error: Tensor | None = None
    for phase in model.rule.phases:
        records[phase.name] = observe_phase(trial, phase, error, training=True)
        if phase.name == "input":
            output = records["input"].output
            assert output is not None
            error = torch.softmax(output / steps, 1) - one_hot(labels, model.network.classes, output)
    assert error is not None
    gathered = Gathered()
    teacher = Teacher(trial, records, error, dict(learned.signal), gathered, samples)
    for phase in model.rule.phases:
        if model.texts_of(phase.name):
            _learn_phase(trial, phase, records[phase.name], teacher)
    teacher.visit_silent_layers()
    gradients = {name: change.div_(-samples) for name, change in gathered.changes.items()}
    gradients |= teacher.gradients
    after = Learned(
        learned.parameters, _moved_currents(trial, records, samples), _moved_pre(trial, records, samples),
        _moved_updates(learned, gathered, samples), teacher.state,
    )  # fmt: skip
    spikes = {
        layer.name: a.S.total(a.steps).sum() / samples
        for layer, a in zip(model.network.hidden, records["input"].activity, strict=False)
    }
    scores = class_scores(model, learned, records, steps)
    return TrialResult(gradients, scores, after, spikes, records["input"].activity)


@dataclass
class Teacher:
    """Asks the signal for each layer's third factor, once a trial, and keeps what it answers."""

    trial: Trial
    records: dict[str, PhaseRecord]
    error: Tensor
    state: SignalState
    gathered: Gathered
    samples: int
    gradients: dict[str, Tensor] = field(default_factory=dict)
    known: dict[str, ThirdFactor] = field(default_factory=dict)

    def third_factor(self, index: int, phase: str, above: Callable[..., Series] | None) -> Series | None:
        """m of one layer in one phase; None where the phase has none."""
        model, layer = self.trial.model, self.trial.model.network.layers[index]
        if layer.role == "readout":
            return Series(self.error / self.trial.steps, True) if phase == "input" else None
        if model.signal is None:
            return None
        if layer.name not in self.known:
            self.known[layer.name] = self._ask(index, above)
        return self.known[layer.name].m.get(phase)

    def _ask(self, index: int, above: Callable[..., Series] | None) -> ThirdFactor:
        model = self.trial.model
        signal, layer = model.signal, model.network.layers[index]
        assert signal is not None
        summary = {p: r.summary[layer.name] / self.trial.steps for p, r in self.records.items() if r.summary}
        view = View(
            layer=LayerShape(layer.name, layer.shape, layer.neuron, {}),
            last=index == len(model.network.hidden) - 1,
            steps=self.trial.steps,
            summary=summary,
            labels=self.trial.labels if "target" in signal.needs else None,
            output_error=self.error if "output_error" in signal.needs else None,
            above=above if "above" in signal.needs else None,
            weights=self.trial.learned.parameters if "weight_transport" in signal.needs else None,
        )
        answer = signal.third_factor(self.state, self.trial.learned.parameters, view)
        self.state = {**self.state, **answer.state}
        self.gradients |= {name: g / self.samples for name, g in answer.gradients.items()}
        return answer

    def visit_silent_layers(self) -> None:
        """Let the signal see layers whose texts never asked, so that its own read-outs and averages still move."""
        signal = self.trial.model.signal
        if signal is None or "above" in signal.needs:
            return
        for index, layer in enumerate(self.trial.model.network.hidden):
            if layer.name not in self.known:
                self.known[layer.name] = self._ask(index, None)


def _learn_phase(trial: Trial, phase: Phase, record: PhaseRecord, teacher: Teacher) -> None:
    """Evaluate the texts of one phase, top layer first; the phase is replayed where it took several windows."""
    carries = [Carry() for _ in trial.model.network.layers]
    whole = trial.window >= trial.steps
    runs = [(0, record.activity)] if whole else trial.windows(phase, record.drive, training=True)
    layers = trial.model.network.layers
    for start, activities in runs:
        handed: dict[int, Tensor | None] = {}
        for index in reversed(range(len(layers))):
            above = _above(trial, index, activities, handed)
            m = teacher.third_factor(index, phase.name, above)
            if m is not None:
                m = m.window(start, start + activities[index].steps)
            elif trial.model.reads_m(layers[index].role, phase.name):
                continue
            view = LocalView(
                layers[index], phase.name, activities[index], m, trial.learned.parameters, trial.model.rule.constants,
                trial.model.rule.trace_decay, carries[index], whole,
            )  # fmt: skip
            handed[index] = learn_layer(view, trial.model.texts, trial.learned.update, teacher.gathered)


def _above(
    trial: Trial, index: int, activities: list[Activity], handed: dict[int, Tensor | None]
) -> Callable[[Callable[[str], Tensor]], Series]:
    layers = trial.model.network.layers

    def carry(weights_of: Callable[[str], Tensor]) -> Series:
        total: Tensor | None = None
        for later in range(index + 1, len(layers)):
            for entry in layers[later].inputs:
                post = handed.get(later)
                if entry.source != index or entry.connection.recurrent or post is None:
                    continue
                series = Series(post, post.ndim == len(layers[later].shape) + 1)
                weights = weights_of(layers[later].weight(entry))
                back = carry_back(layers[later], entry, weights, series, activities[index].S, trial.masks)
                total = back.values if total is None else total + back.values
        assert total is not None, "a layer that nothing reads"
        total = through_own_loop(layers[index], activities[index], total, weights_of)
        return Series(total, total.ndim == len(layers[index].shape) + 1)

    return carry


def _check_window(model: Model, window: int, steps: int) -> None:
    if window >= steps:
        return
    if model.signal is not None and model.signal.varies:
        raise UserError(
            f"rule '{model.rule.name}' needs every step of a trial at once: its signal runs backwards in time. "
            f"Use --schedule by_layer"
        )
    if any(layer.normalisation is not None and layer.normalisation.reads_batch for layer in model.network.layers):
        raise UserError("batch normalisation needs every step of a trial at once. Use --schedule by_layer or --norm streaming")


def _moved_currents(trial: Trial, records: dict[str, PhaseRecord], samples: int) -> dict[str, CurrentStatistics]:
    moved = dict(trial.learned.current)
    for phase, record in records.items():
        for layer in trial.model.network.layers:
            name = f"{phase}.{layer.name}"
            if layer.name not in record.currents or trial.model.phase_statistics(phase, layer.name) != name:
                continue
            mean, square = (value / trial.steps for value in record.currents[layer.name])
            before = moved.get(name) or first_current_statistics(layer.shape, mean)
            moved[name] = CurrentStatistics(
                before.mean.updated(mean, samples, STATISTICS_RATE),
                before.square.updated(square, samples, STATISTICS_RATE),
            )
    return moved


def _moved_pre(trial: Trial, records: dict[str, PhaseRecord], samples: int) -> dict[str, RunningMean]:
    moved = dict(trial.learned.pre)
    for phase, record in records.items():
        for key, total in record.pre.items():
            name = f"{phase}.{key}"
            if trial.model.phase_statistics(phase, key.split(".")[0]) != f"{phase}.{key.split('.')[0]}":
                continue
            before = moved.get(name) or start_at(0.0, tuple(total.shape), total)
            moved[name] = before.updated(total / trial.steps, samples, STATISTICS_RATE)
    return moved


def _moved_updates(learned: Learned, gathered: Gathered, samples: int) -> dict[str, UpdateStatistics]:
    moved = dict(learned.update)
    for name, (mean, product, steps) in gathered.update_sums.items():
        before = moved.get(name) or first_update_statistics(tuple(mean.shape), mean)
        moved[name] = UpdateStatistics(
            before.mean.updated(mean / steps, samples, STATISTICS_RATE),
            before.product.updated(product / steps, samples, STATISTICS_RATE),
        )
    return moved
