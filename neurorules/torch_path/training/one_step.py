"""One step of a learner that waits for its device: the batch is checked, a trial runs, and the change is applied.

A step is taken completely or not at all: one that fails or is interrupted changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from torch import Tensor

from neurorules.connections._products import listing_once
from neurorules.contracts.running_mean import share_of
from neurorules.language.errors import UserError
from neurorules.language.ranges import NonNegative, check_range
from neurorules.network.layer import draw_masks
from neurorules.runs.interrupt import interrupts_wait
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.arguments import Labels, Spikes
from neurorules.torch_path.training.checks import check_batch
from neurorules.torch_path.training.doubts import check_finite
from neurorules.torch_path.training.on_ranks import begin_alike, of_whole_batch
from neurorules.torch_path.trial.allowance import observe
from neurorules.torch_path.trial.learn import TrialResult, learn_trial
from neurorules.torch_path.trial.pipeline import Parcel
from neurorules.torch_path.trial.share import Share


@contextmanager
def whole_step(learner: Any, every_weight: bool = False) -> Iterator[Callable[[], None]]:
    """Run the block in a session of its own. If it raises an error, the learner is restored.

    Args:
        learner: the learner that learns in the block.
        every_weight: whether all weights are copied first, for a block that may still fail after it has changed some.
            Otherwise the block changes weights by one call of the learner's store, which changes all or none, and
            nothing after it fails.

    Yields:
        A function to call before the first change; from then on a Ctrl-C waits until the step is done.
    """
    with own_session(learner.fast), interrupts_wait() as hold:
        generator, learned = learner.generator.get_state(), learner.learned
        slots = [] if learner.pipe is None else learner.pipe.slots
        before = learner.store.copy(learned.parameters if every_weight else ())
        try:
            yield hold
        except BaseException:
            learner.store.put_back(before)
            learner.generator.set_state(generator)
            learner.learned = learned
            if learner.pipe is not None:
                learner.pipe.slots = slots
            raise


def parcel_of(learner: Any, spikes: Spikes, labels: Labels, fraction: float) -> Parcel:
    """Check a batch, let the signal see it, and draw its masks: the batch as it enters a pipeline of layers.

    Args:
        learner: a `Learner`, whose signal's state changes.
        spikes, labels, fraction: as in `Learner.step`, which lists the errors.

    Returns:
        The batch, which no layer has seen.
    """
    drive, steps, labels = check_batch(learner, spikes, labels)
    observed = observe(learner.model, learner.learned.signal, drive, learner.model.hidden_targets(labels))
    learner.learned = replace(learner.learned, signal={**learner.learned.signal, **observed})
    masks = draw_masks(learner.model.network.layers, len(labels), learner.generator)
    return Parcel(drive, steps, labels, masks, fraction, observed)


def take_step(learner: Any, spikes: Spikes, labels: Labels, fraction: float) -> tuple[TrialResult, Tensor]:
    """Learn from one batch, or from this rank's share of it.

    Args:
        learner: a `Learner`.
        spikes, labels, fraction: as in `Learner.step`, which lists the errors.

    Returns:
        The trial, and class indices (B,), or other targets, on the device; those of this rank's samples.
    """
    check_range("fraction", fraction, NonNegative)
    if learner.ranks is not None and learner.pipe is not None:
        raise UserError(
            "a whole trial cannot be learned where layers are on several ranks. Call step or push, or use "
            "schedule='by_layer', with which ranks share batches"
        )
    applies = any(phase.applies for phase in learner.model.rule.phases)
    if learner.ranks is not None and not learner.alike:
        drive, _, targets = check_batch(learner, spikes, labels)
        begin_alike(learner.ranks, learner, (drive.values, targets))
        learner.alike = True
    with whole_step(learner, every_weight=applies) as hold:
        drive, steps, labels = check_batch(learner, spikes, labels)
        share = None if learner.ranks is None else Share.of(learner.ranks, len(labels))
        if share is not None:
            drive, labels = share.drive(drive), labels[share.start : share.stop]

        def apply(gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
            read: dict[str, Tensor] = learner.apply_and_read(
                gradients if share is None else share.means(gradients), fraction
            )
            return read

        before, window = replace(learner.learned, parameters=learner.store.read()), min(learner.window, steps)
        lists = listing_once() if window >= steps else nullcontext()  # shorter windows keep no lists
        with nullcontext() if share is None else share_of(share.samples), lists:
            trial = learn_trial(
                learner.store.on_hardware(learner.model), before, drive, steps, labels, learner.generator, window,
                apply, learner.probe, share,
            )  # fmt: skip
        if share is not None:
            trial = of_whole_batch(learner.model, share, before, trial, labels)
        scores = (
            trial.scores if trial.figures is None else trial.figures["loss"]
        )  # the loss is not finite if a score is not
        check_finite(trial.gradients, learner.model.network, scores)
        hold()
        learner.store.let_time_pass(steps * len(labels))
        learner.store.change([(trial.gradients, fraction)])
        learner.learned = replace(trial.learned, parameters=learner.learned.parameters)
        return trial, labels
