"""A learner whose layers work on different batches at the same time: how batches enter and pass its pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from neurorules.contracts.device import Device
from neurorules.language.config import PIPELINED
from neurorules.language.ranges import NonNegative, check_range
from neurorules.network.layer import draw_masks
from neurorules.network.model import Model
from neurorules.torch_path.training.arguments import Labels, Spikes
from neurorules.torch_path.training.checks import check_batch
from neurorules.torch_path.training.doubts import check_finite
from neurorules.torch_path.training.one_step import whole_step
from neurorules.torch_path.trial.allowance import observe
from neurorules.torch_path.trial.pipeline import Parcel, Pipe, merged
from neurorules.torch_path.update.figures import metrics_of, scoring_of


def pipe_of(model: Model, schedule: str, hardware: Device | None) -> Pipe | None:
    """The pipeline for a schedule, or None if the schedule has none.

    Args:
        model: network, rule, signal.
        schedule: as `--schedule` takes it.
        hardware: the hardware model that the network learns under.

    Returns:
        Empty stages, one for each layer.

    Raises:
        UserError: the layers of the rule wait for each other.
    """
    if schedule not in PIPELINED:
        return None
    return Pipe(model, schedule == "pipelined_threads", hardware is not None)


def push(learner: Any, pipe: Pipe, spikes: Spikes, labels: Labels, fraction: float) -> dict[str, float] | None:
    """Give a batch to the first layer, and let each other layer learn the batch that the layer below had before.

    Args:
        learner: the `Learner` that owns the pipe.
        pipe: its pipeline.
        spikes: (T, B, *input), or a `Series`.
        labels: (B,) class indices, or one-hot rows (B, classes); or the targets of another task.
        fraction: the share of the learning rate, >= 0.

    Returns:
        Loss, accuracy and spikes of the batch that the last layer has learned; None while the pipe fills.
    """
    check_range("fraction", fraction, NonNegative)
    with whole_step(learner) as hold:
        drive, steps, labels = check_batch(learner, spikes, labels)
        observed = observe(learner.model, learner.learned.signal, drive, learner.model.hidden_targets(labels))
        learner.learned = replace(learner.learned, signal={**learner.learned.signal, **observed})
        masks = draw_masks(learner.model.network.layers, len(labels), learner.generator)
        parcel = Parcel(drive, steps, labels, masks, fraction, observed)
        return _tick(learner, pipe, [parcel, *pipe.slots[1:]], hold)


def move_on(learner: Any, pipe: Pipe) -> dict[str, float] | None:
    """Let every layer learn its batch, without a new one for the first layer.

    Args:
        learner: the `Learner` that owns the pipe.
        pipe: its pipeline.

    Returns:
        As `push`.
    """
    with whole_step(learner) as hold:
        return _tick(learner, pipe, pipe.slots, hold)


def _tick(learner: Any, pipe: Pipe, slots: list[Parcel | None], hold: Callable[[], None]) -> dict[str, float] | None:
    """Run all stages of the pipeline once, and then apply their changes together."""
    stages = pipe.work(learner.trial_state(), slots)
    for stage in stages:
        if stage.gradients:
            check_finite(stage.gradients, learner.model.network, stage.parcel.scores)
    hold()
    learner.store.change([(stage.gradients, stage.parcel.fraction) for stage in stages])
    learner.learned = merged(learner.learned, stages)
    done = pipe.move(slots, stages)
    if done is None or done.scores is None:
        return None
    return metrics_of(done.scores, done.labels, done.spikes, scoring_of(learner.model))
