"""A learner whose layers lie on several ranks: each rank learns its own layers, each from a batch of its own.

Every rank reads the labels of every batch, and makes the draws of dropout, by itself. The forward activity that the
layers above may read goes from rank to rank (`trial.parcel_message`). Between two calls of `flush`, nothing comes back.
`flush` waits until the last rank has learned the last batch, and then gives every rank what the others have learned, so
that each can evaluate and save the whole network.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from neurorules.language.errors import OwnRankError
from neurorules.language.ranges import NonNegative, check_range
from neurorules.torch_path.training.arguments import Labels, Spikes
from neurorules.torch_path.training.checks import check_batch
from neurorules.torch_path.training.doubts import Diverged, check_finite
from neurorules.torch_path.training.on_ranks import begin_alike
from neurorules.torch_path.training.one_step import parcel_of, whole_step
from neurorules.torch_path.training.rank_pipe import STOP, RankPipe
from neurorules.torch_path.training.state import tensors_of
from neurorules.torch_path.trial.pipeline import Parcel, Stage, merged
from neurorules.torch_path.update.figures import metrics_of, scoring_of


class RankDiverged(Diverged, OwnRankError):
    """The numbers of this rank's layers are no longer finite. No other rank knows."""


def push_to_ranks(learner: Any, pipe: RankPipe, spikes: Spikes, labels: Labels, fraction: float) -> None:
    """Let this rank's layers learn from a batch, when those below have passed it on.

    Args:
        learner: the `Learner` that owns the pipe.
        pipe: the layers of this rank.
        spikes, labels, fraction: as in `Learner.push`; the whole batch.
    """
    check_range("fraction", fraction, NonNegative)
    if not learner.alike:
        drive, _, targets = check_batch(learner, spikes, labels)
        begin_alike(learner.ranks, learner, (drive.values, targets))
        learner.alike = True
    with pipe.failing_together(), whole_step(learner) as hold:
        needed = pipe.reads_samples or not isinstance(labels, Sized)
        parcel = parcel_of(learner, spikes if needed else pipe.unread(len(labels)), labels, fraction)
        learned = learner.trial_state()
        if not pipe.sections:
            pipe.divide(learned, parcel)
        pipe.begin()
        pipe.receive(learned, parcel)
        stages = pipe.work(learned, parcel)
        last = stages[-1].parcel
        for stage in stages:
            _check_finite(learner, pipe, stage)
        pipe.send(last)
        hold()
        learner.store.change([(stage.gradients, fraction) for stage in stages])
        before = tensors_of(learner.learned)
        learner.learned = merged(learner.learned, stages)
        pipe.changes |= {name for name, value in tensors_of(learner.learned).items() if before.get(name) is not value}
        pipe.changes |= {f"parameters/{name}" for stage in stages for name in stage.gradients}
        pipe.under_way += 1
        pipe.ranks.stop_requested = pipe.word == STOP
        pipe.figures.append(_figures(learner, last))


def _check_finite(learner: Any, pipe: RankPipe, stage: Stage) -> None:
    try:
        check_finite(stage.gradients, learner.model.network, stage.parcel.scores)
    except Diverged as error:
        if pipe.ranks.first:
            raise
        raise RankDiverged(f"rank {pipe.ranks.rank} of {pipe.ranks.count}: {error}") from None


def _figures(learner: Any, parcel: Parcel) -> dict[str, float]:
    """The figures of a batch that this rank knows: spikes of its layers, and the others on the rank of the scores."""
    if parcel.scores is not None:
        return metrics_of(parcel.scores, parcel.labels, parcel.spikes, scoring_of(learner.model))
    return {f"spikes.{name}": float(value) for name, value in parcel.spikes.items()}
