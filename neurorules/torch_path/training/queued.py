"""Steps that a learner takes without waiting for its device: they are queued, and their answers are read later.

A queued step changes what a step on a CPU changes: one that diverges changes nothing, and neither do the steps that are
queued after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.ranges import NonNegative, check_range
from neurorules.network.model import Learned
from neurorules.torch_path.training.arguments import Labels, Spikes
from neurorules.torch_path.training.checks import check_drive, check_targets
from neurorules.torch_path.training.doubts import Doubt, finite_doubts
from neurorules.torch_path.training.drives import batch_of
from neurorules.torch_path.training.graphed import Recorded
from neurorules.torch_path.training.one_step import whole_step
from neurorules.torch_path.trial.learn import TrialResult, learn_trial
from neurorules.torch_path.update.figures import metrics_on_device, scoring_of


def may_queue(learner: Any) -> bool:
    """Whether a learner's steps can be queued: on a GPU, if the host has to decide nothing within a step."""
    applies = any(phase.applies for phase in learner.model.rule.phases)
    return (
        learner.device.type == "cuda"
        and learner.hardware is None
        and learner.pipe is None
        and learner.ranks is None
        and not applies
    )


def queue_step(
    learner: Any, spikes: Spikes, labels: Labels, fraction: float, metrics: bool = False
) -> tuple[TrialResult, Tensor]:
    """Queue one step, without waiting for the device.

    Args:
        learner: a `Learner`.
        spikes, labels, fraction: as in `Learner.step`.
        metrics: whether the answers include the step's metrics.

    Returns:
        The trial of the step, and class indices (B,), or other targets, on the device.

    Raises:
        UserError: the host finds a fault in this step, or a check of an earlier step failed.
    """
    check_range("fraction", fraction, NonNegative)
    learner.outstanding.settle(wait=False)
    with whole_step(learner) as hold:
        undo = _undo(learner)
        doubts: list[Doubt] = []
        model = learner.model
        spikes = batch_of(learner, spikes, learning=True)
        drive, steps = check_drive(spikes, model.network, learner.steps, learner.device, learner.dtype, doubts)
        labels = check_targets(labels, drive, steps, model, (learner.device, learner.dtype), doubts)

        def run(learned: Learned, drive: Series, labels: Tensor) -> TrialResult:
            window, draws = min(learner.window, steps), learner.generator
            return learn_trial(model, learned, drive, steps, labels, draws, window, probe=learner.probe)

        played: Recorded | None = None
        if metrics and learner.probe is None:  # the caller may keep the trial, and a recorded one is overwritten
            stuck = learner.outstanding.stuck(learner.device)
            settings = steps, learner.schedule, id(model)
            played = learner.recorder.play(learner.learned, drive, labels, run, settings, stuck)
        figures: Mapping[str, Tensor] = {}
        if played is not None:
            trial, figures = played.trial, played.metrics
            doubts += played.doubts
        else:
            trial = run(learner.trial_state(), drive, labels)
            doubts += finite_doubts(trial.gradients, model.network, trial.scores)
            scoring = scoring_of(model)
            figures = metrics_on_device(trial.scores, labels, trial.spikes, scoring) if metrics else {}
        wrong = learner.outstanding.wrong(doubts)
        hold()
        learner.store.change([(trial.gradients, fraction)], wrong)
        if played is None:
            learner.learned = replace(trial.learned, parameters=learner.learned.parameters)
        else:
            learner.learned = learner.recorder.moved(played, wrong)
        learner.outstanding.add(doubts, wrong, figures, undo)
        return trial, labels


def _undo(learner: Any) -> Callable[[], None]:
    """A function that restores the present state of a learner, apart from its parameters, which a failed step does not
    change.
    """
    generator, learned = learner.generator.get_state(), learner.learned
    keys = {name: tuple(values) for name, values in learner.optimiser.buffers.items()}

    def undo() -> None:
        learner.generator.set_state(generator)
        learner.learned = learned
        for name, values in learner.optimiser.buffers.items():
            for key in [key for key in values if key not in keys[name]]:
                del values[key]

    return undo


def settle(learner: Any) -> None:
    """Read all outstanding answers about a learner's steps. No batch may be under way in a pipeline.

    Raises:
        UserError: a check of a step failed, or batches are under way in a pipeline.
    """
    learner.outstanding.settle()
    if learner.pipe is not None:
        learner.pipe.check_empty()
