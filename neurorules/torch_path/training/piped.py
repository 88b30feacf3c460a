"""A learner whose layers work on different batches at the same time: how batches enter and pass its pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from neurorules.contracts.device import Device
from neurorules.language.config import PIPELINED
from neurorules.language.errors import UserError
from neurorules.language.ranges import NonNegative, check_range
from neurorules.network.model import Model
from neurorules.torch_path.process.ranks import Ranks
from neurorules.torch_path.training.arguments import Labels, Spikes
from neurorules.torch_path.training.doubts import check_finite
from neurorules.torch_path.training.joined_layers import flush_ranks
from neurorules.torch_path.training.layers_on_ranks import push_to_ranks
from neurorules.torch_path.training.one_step import parcel_of, whole_step
from neurorules.torch_path.training.rank_pipe import RankPipe
from neurorules.torch_path.trial.pipeline import Parcel, Pipe, check_pipelined, merged
from neurorules.torch_path.update.figures import metrics_of, scoring_of


def pipe_of(model: Model, schedule: str, hardware: Device | None, ranks: Ranks | None = None) -> Pipe | RankPipe | None:
    """The pipeline for a schedule, or None if the schedule has none.

    Args:
        model: network, rule, signal.
        schedule: as `--schedule` takes it.
        hardware: the hardware model that the network learns under.
        ranks: the ranks that the layers are divided over; None in one process.

    Returns:
        Empty stages, one for each layer; on several ranks the stages of this rank.

    Raises:
        UserError: the layers of the rule wait for each other, or cannot be divided over the ranks.
    """
    if schedule not in PIPELINED:
        return None
    if ranks is None:
        return Pipe(model, schedule == "pipelined_threads", hardware is not None)
    if schedule != "pipelined":
        raise UserError(
            f"--schedule {schedule} divides the layers over threads of one process, and there are {ranks.count} ranks. "
            f"Use --schedule pipelined, which divides them over ranks, or start without torchrun"
        )
    check_pipelined(model, hardware is not None)
    return RankPipe(model, ranks)


def push(
    learner: Any, pipe: Pipe | RankPipe, spikes: Spikes, labels: Labels, fraction: float
) -> dict[str, float] | None:
    """Give a batch to the first layer, and let each other layer learn the batch that the layer below had before.

    Args:
        learner: the `Learner` that owns the pipe.
        pipe: its pipeline.
        spikes: (T, B, *input), or a `Series`.
        labels: (B,) class indices, or one-hot rows (B, classes); or the targets of another task.
        fraction: the share of the learning rate, >= 0.

    Returns:
        Loss, accuracy and spikes of the batch that the last layer has learned; None while the pipe fills, and on
        several ranks.
    """
    if isinstance(pipe, RankPipe):
        push_to_ranks(learner, pipe, spikes, labels, fraction)
        return None
    check_range("fraction", fraction, NonNegative)
    with whole_step(learner) as hold:
        return _tick(learner, pipe, [parcel_of(learner, spikes, labels, fraction), *pipe.slots[1:]], hold)


def drain(learner: Any, pipe: Pipe | RankPipe) -> list[dict[str, float]]:
    """Let every layer learn the batches under way, without new ones for the first layer.

    Args:
        learner: the `Learner` that owns the pipe.
        pipe: its pipeline.

    Returns:
        The result of `push` for each batch whose figures have not been returned before, in order.
    """
    if isinstance(pipe, RankPipe):
        return flush_ranks(learner, pipe)
    figures: list[dict[str, float]] = []
    while pipe.under_way:
        with whole_step(learner) as hold:
            metrics = _tick(learner, pipe, pipe.slots, hold)
        figures += [] if metrics is None else [metrics]
    return figures


def _tick(
    learner: Any, pipe: Pipe, slots: Sequence[Parcel | None], hold: Callable[[], None]
) -> dict[str, float] | None:
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
