"""One trial: phases run, the signal computes third factors, texts compute changes, and running averages are updated.

With a window of all T steps the layers run one after the other, each over all steps (schedule `by_layer`). With a
shorter window all layers advance together, window by window, in memory that does not grow with T; if the third factor
is known only at the end of the trial, the trial is replayed to learn from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.rules import Phase
from neurorules.network.layer import Masks, draw_masks
from neurorules.network.model import Learned, Model
from neurorules.network.network import Parameters
from neurorules.network.texts import ROLES
from neurorules.torch_path.forward.run_layer import Activity, Carry
from neurorules.torch_path.trial.allowance import observe
from neurorules.torch_path.trial.from_above import carrier
from neurorules.torch_path.trial.phase_record import PhaseRecord, class_scores, moved, output_of
from neurorules.torch_path.trial.probe import Probe
from neurorules.torch_path.trial.share import Share
from neurorules.torch_path.trial.third_factors import ThirdFactors
from neurorules.torch_path.trial.trial import Trial, observe_phase
from neurorules.torch_path.update.local_view import ChangeSums, LocalView, Output, begin_traces, keep_traces
from neurorules.torch_path.update.plasticity import learn_layer


@dataclass(frozen=True)
class TrialResult:
    """The changes and scores that a trial computes, before anything has been changed.

    Args:
        gradients: by parameter, minus the change that the texts compute, averaged over samples.
        scores: one per sample and class or output, (B, O), or for each step, (B, T, O).
        learned: statistics and signal state after the trial; the parameters as they were.
        spikes: by hidden layer, number of spikes per sample, ().
        activity: the activity of each layer in the last window of the phase "input".
        third_factors: by layer, m as the texts of the phase "input" read it.
        sent: the error that the signal's reverse circuit sends to the layers below, by layer; empty without such a
            circuit.
        figures: the figures of the whole batch if ranks share it (`update.figures.metrics_on_device`); otherwise None.
    """

    gradients: dict[str, Tensor]
    scores: Tensor
    learned: Learned
    spikes: dict[str, Tensor]
    activity: list[Activity]
    third_factors: dict[str, Series]
    sent: dict[str, Series]
    figures: Mapping[str, Tensor] | None = None


def learn_trial(
    model: Model, learned: Learned, drive: Series, steps: int, labels: Tensor, generator: torch.Generator,
    window: int | None = None, apply: Callable[[Mapping[str, Tensor]], Parameters] | None = None,
    probe: Probe | None = None, share: Share | None = None,
) -> TrialResult:  # fmt: skip
    """Run one trial and return the changes that it computes.

    Args:
        model: network, rule and signal.
        learned: current parameters and state; they are not modified.
        drive: the samples, (T, B, *input) or constant (B, *input).
        steps: T, >= 1.
        labels: class indices (B,), 0 .. C - 1, or the targets of the model's task, samples first.
        generator: draws dropout masks.
        window: the number of steps that run at once; T if None.
        apply: a function for rules with a phase that applies its changes: it changes the parameters by gradients, and
            returns those that the next phase reads.
        probe: observes the trial, or replaces values in it (`trial.probe`).
        share: this rank's share of a batch, which the samples are; None for a whole batch.

    Returns:
        Gradients, scores, and the state after the trial.

    Raises:
        UserError: a rule or normalisation needs all steps at once, and the window is shorter; or targets are shuffled,
            and there is one sample.
        ValueError: a phase applies its changes, and `apply` is missing.
    """
    model = model.bound(learned.parameters)
    samples = drive.values.shape[0 if drive.constant else 1]
    check_window(model, window := window or steps, steps)
    if model.last_steps is not None:
        model.scored_steps(steps)
    targets = model.hidden_targets(labels)
    learned = replace(learned, signal={**learned.signal, **observe(model, learned.signal, drive, targets)})
    trial = Trial(model, learned, drive, steps, window, targets, _masks(model, samples, share, generator), probe=probe)
    teaches = _teaching_steps(model.rule.teaching, steps, generator)
    records: dict[str, PhaseRecord] = {}
    output: Output | None = None
    factors = ThirdFactors(trial, records, None, dict(learned.signal), ChangeSums(), samples, share, teaches)
    for phase in model.rule.phases:
        error = None if output is None else model.hidden_targets(output.m, output.m.ndim - 2)
        records[phase.name] = observe_phase(trial, phase, error, training=True, before=records.get("input"))
        if output is None or phase.name == model.rule.error_phase:
            output = output_of(model, records[phase.name], labels)
        factors.output = output
        if phase.applies:
            trial = factors.trial = _apply_now(trial, phase, records[phase.name], factors, apply)
    for phase in model.rule.phases:
        if not phase.applies and any(model.learning[phase.name, role].learns for role in ROLES):
            _learn_phase(trial, phase, records[phase.name], factors)
    factors.visit_silent_layers()
    spikes = {name: number / samples for name, number in records["input"].spikes.items()}
    scores = class_scores(model, learned, records)
    sent = {name: answer.sent for name, answer in factors.answers.items() if answer.sent is not None}
    gradients = gradients_of(factors)
    after = moved(model, learned, records, factors.sums, factors.state, samples)
    return TrialResult(gradients, scores, after, spikes, records["input"].activity, factors.third_factors, sent)


def _masks(model: Model, samples: int, share: Share | None, generator: torch.Generator) -> Masks:
    """Dropout masks of the samples; for a share, its rows of the masks that are drawn for the whole batch."""
    if not model.network.drops:
        return {}
    if share is None:
        return draw_masks(model.network.layers, samples, generator)
    return share.masks(draw_masks(model.network.layers, share.samples, generator))


def _teaching_steps(probability: float, steps: int, generator: torch.Generator) -> Tensor | None:
    """Whether each step teaches, 1 or 0, (T,); None if all do. The same for all samples and layers."""
    if probability == 1:
        return None
    return (torch.rand(steps, generator=generator, device=generator.device) < probability).float()


def gradients_of(factors: ThirdFactors) -> dict[str, Tensor]:
    """The changes, averaged over samples, and the signal's own gradients. The sums are set to 0."""
    return {**_averaged(factors), **factors.gradients}


def _averaged(factors: ThirdFactors) -> dict[str, Tensor]:
    """The gradients from the sums of changes, which are then set to 0."""
    if factors.share is not None:
        factors.join_common(factors.share)
    gradients = dict(factors.sums.changes)
    if gradients:
        torch._foreach_div_(list(gradients.values()), -factors.samples)
    factors.sums.changes.clear()
    return gradients


def _apply_now(
    trial: Trial, phase: Phase, record: PhaseRecord, factors: ThirdFactors,
    apply: Callable[[Mapping[str, Tensor]], Parameters] | None,
) -> Trial:  # fmt: skip
    """Learn by a phase's texts before the next phase runs, which uses the changed parameters.

    Args:
        trial: the batch.
        phase: the phase that has run.
        record: its record.
        factors: the third factors of the trial; their sums are set to 0 when they have been applied.
        apply: changes the parameters by gradients, and returns the new ones.

    Returns:
        The trial with the changed parameters.

    Raises:
        ValueError: `apply` is missing.
    """
    if apply is None:
        raise ValueError(f"phase '{phase.name}' of rule '{trial.model.rule.name}' applies changes: hand over `apply`")
    _learn_phase(trial, phase, record, factors)
    parameters = apply(_averaged(factors))
    learned = replace(trial.learned, parameters=parameters)
    return replace(trial, model=trial.model.bound(parameters), learned=learned, applied=True)


def _learn_phase(trial: Trial, phase: Phase, record: PhaseRecord, factors: ThirdFactors) -> None:
    """Evaluate the texts of one phase, window by window, and in each window from the read-out down.

    A phase that ran in several windows is run again, since only the activity of its last window has been kept.

    Args:
        trial: the batch.
        phase: the phase.
        record: its record, whose activity is that of the last window.
        factors: the third factors of the trial, to whose sums the changes are added.
    """
    model, layers = trial.model, trial.model.network.layers
    carries = [Carry() for _ in layers]
    whole = trial.window >= trial.steps
    runs = [(0, record.activity)] if whole else trial.windows(phase, record.drive, training=True)
    for start, activities in runs:
        handed: dict[int, Tensor | None] = {}
        for index in reversed(range(len(layers))):
            layer = layers[index]
            held = model.learning[phase.name, layer.role]
            # A phase that applies its changes comes before the signal has seen all phases, so only the read-out learns
            # in it.
            m, asks = None, held.asks_m and not (phase.applies and layer.role == "hidden")
            if asks:
                above = None
                if model.teaches_from_above:
                    above = carrier(
                        layers, index, activities[index], trial.masks, handed, model.instant, model.of_times
                    )
                m = factors.third_factor(index, phase.name, above, start, activities)
            if held.learns and (m is not None or not held.reads_m):
                change = learn_one(factors, phase, record, index, activities[index], m, carries[index], whole, start)
                answer = factors.answers.get(layer.name)
                handed[index] = change if answer is None or answer.sent is None else -answer.sent.values
                if trial.probe is not None:
                    handed[index] = trial.probe.handed(index, handed[index])


def learn_one(
    factors: ThirdFactors, phase: Phase, record: PhaseRecord, index: int, activity: Activity, m: Series | None,
    carry: Carry, whole: bool, start: int = 0,
) -> Tensor | None:  # fmt: skip
    """Evaluate one layer's texts of a phase over one window.

    Args:
        factors: the third factors of the trial, to whose sums the layer's changes are added.
        phase: the phase whose texts are evaluated.
        record: the record of the phase.
        index: the index of the layer.
        activity: the activity of the layer in the window.
        m: third factor of the window, (T, B, *shape) or constant (B, *shape); None for texts without one.
        carry: state of the layer's traces between windows; updated in place.
        whole: whether the window is the whole trial.
        start: its first step.

    Returns:
        The post factor that the layers below learn from, as `learn_layer` returns it, or None.
    """
    trial, model, layer = factors.trial, factors.trial.model, factors.trial.model.network.layers[index]
    output = None
    if layer.role == "readout" and factors.output is not None:
        output = factors.output.spread(trial.steps, start, start + activity.steps)
    view = LocalView(
        layer, phase.name, activity, m, trial.learned.parameters, model.rule.constants, model.rule.declared_traces,
        carry, whole, output, record.drive.context, chip=model.chip, first=start, instant=model.instant,
        hands_down=index > 0 and model.teaches_from_above,
    )  # fmt: skip
    lasting = any(trace.across_trials for trace in view.traces.values())
    if lasting and start == 0:
        begin_traces(view, trial.learned.traces)
    texts = model.learning[phase.name, layer.role].texts
    statistics = {name: value for name, value in trial.learned.update.items() if name.split(".")[1] == layer.name}
    if trial.probe is not None:
        trial.probe.learns(view, texts, statistics)
    sums = factors.sums if factors.share is None or not record.drive.in_common else factors.common
    handed = learn_layer(view, texts, statistics, sums)
    if lasting and start + activity.steps == trial.steps:
        keep_traces(view, sums)
    return handed


def check_window(model: Model, window: int, steps: int) -> None:
    """Refuse a window in which a rule or its normalisations cannot learn.

    Args:
        model: network, rule and signal.
        window: number of steps that run at once, >= 1.
        steps: T.

    Raises:
        UserError: the rule or a normalisation needs all steps at once, and the window is shorter.
    """
    if window >= steps:
        return
    signal = model.signal
    asks = model.learning["input", "hidden"].asks_m
    asked_anew = signal is not None and model.instant and (asks or not signal.momentary)
    if signal is not None and (signal.varies or signal.every is not None) and not asked_anew:
        raise UserError(
            f"rule '{model.rule.name}' needs every step of a trial at once: its signal, {model.rule.signal}, reads all "
            f"of them. Use --schedule by_layer, or another signal or option of it"
        )
    for layer in model.network.layers:
        if layer.neuron.needs_whole_trial:
            raise UserError(
                f"the neurons of layer '{layer.name}' can be taught only with every step of a trial at once. Use "
                f"--schedule by_layer"
            )
    if any(layer.normalisation is not None and layer.normalisation.reads_batch for layer in model.network.layers):
        raise UserError(
            "batch normalisation needs every step of a trial at once. Use --schedule by_layer or --norm streaming"
        )
