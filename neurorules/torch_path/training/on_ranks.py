"""A learner on several ranks: the check whether it can, the common start, and trials that ranks share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from neurorules.contracts.running_mean import RunningMean
from neurorules.language.errors import UserError
from neurorules.network.model import Learned, Model
from neurorules.torch_path.process.ranks import Ranks
from neurorules.torch_path.training.state import RUNNING, from_tensors, tensors_of
from neurorules.torch_path.trial.learn import TrialResult
from neurorules.torch_path.trial.share import Share
from neurorules.torch_path.update.figures import metrics_on_device, scoring_of

MOST_COMPARED = 4096
"""The largest number of values of a batch that are compared between ranks."""


def check_ranks(model: Model, learned: Learned, hardware: bool) -> None:
    """Refuse a model that would not learn the same from shares of a batch on several ranks as in one process.

    Args:
        model: network, rule and signal.
        learned: state of the signal at the start.
        hardware: whether the network learns under a hardware model.

    Raises:
        UserError: a part of the model reads the other samples of the batch, or cannot be averaged; the message names
            it.
    """
    signal = model.signal
    reads_batch = [a.name for a in model.network.layers if a.normalisation is not None and a.normalisation.reads_batch]
    moving = [] if signal is None else [name for name in signal.moves if _of_real_numbers(learned, name)]
    reason = None
    if hardware:
        reason = "a hardware model has one state. Use --hardware none"
    elif reads_batch:
        reason = f"batch normalisation reads the whole batch in layer '{reads_batch[0]}'. Use --norm streaming"
    elif model.targets == "shuffled":
        reason = "shuffled targets come from other samples of the batch. Use --targets own"
    elif signal is not None and "batch_pool" in signal.needs:
        reason = f"the signal of rule '{model.rule.name}' reads the other samples of the batch. Use other options of it"
    elif signal is not None and ("noise_phase" in signal.needs or signal.draws or moving):
        drawn = "noise_phase" in signal.needs or signal.draws
        what = "noise of its own for each sample" if drawn else f"'{moving[0]}'"
        reason = f"the signal of rule '{model.rule.name}' moves by {what}, which is not a mean over samples"
    if reason is not None:
        raise UserError(f"several ranks cannot learn this as one process would: {reason}, or start without torchrun")


def _of_real_numbers(learned: Learned, pattern: str) -> bool:
    name = pattern.split("*")[0]
    return any(
        n.startswith(name) and isinstance(v, Tensor) and v.is_floating_point() for n, v in learned.signal.items()
    )


def begin_alike(ranks: Ranks, learner: Any, batch: tuple[Tensor, Tensor] | None = None) -> None:
    """Let the learners of all ranks begin with the numbers of the first rank's.

    Args:
        ranks: that learn together.
        learner: a `Learner`.
        batch: drive and labels of its first batch, which must be the same on all ranks; None if that is certain.

    Raises:
        UserError: the ranks have other learners, or were given other batches.
        RankLost: another rank does not answer.
    """
    own = {name: value.contiguous() for name, value in learner.state().items()} if ranks.first else {}
    message = ranks.from_first(save(own) if ranks.first else None)
    with ranks.together():
        if not ranks.first:
            learner.load(load(message))
    if batch is None:
        return
    compared = _some_of(batch[0]) + _some_of(batch[1])
    message = ranks.from_first(compared if ranks.first else None)
    with ranks.together():
        if message != compared:
            raise UserError(
                "the ranks were given different batches. Give each of them the whole batch, in the same order: a rank "
                "takes its share of it by itself"
            )


def _some_of(values: Tensor) -> bytes:
    flat = values.reshape(-1)
    chosen = flat[:: max(1, -(-len(flat) // MOST_COMPARED))].contiguous()
    return repr(tuple(values.shape)).encode() + chosen.cpu().numpy().tobytes()


def of_whole_batch(model: Model, share: Share, before: Learned, trial: TrialResult, labels: Tensor) -> TrialResult:
    """Join the trials of all shares into one trial of the whole batch, by one sum over the ranks.

    Args:
        model: the model that has run.
        share: the share that this rank has learned from.
        before: everything learned before the trial.
        trial: the trial of this rank's samples.
        labels: the labels of this rank's samples.

    Returns:
        Gradients, averages, figures and spikes of the whole batch; scores and activity of this rank's samples.
    """
    ranks, earlier = share.ranks, tensors_of(before)
    flat = tensors_of(trial.learned)
    moved = [name for name, value in flat.items() if earlier.get(name) is not value and _is_mean(trial.learned, name)]
    asks = trial.scores.new_tensor([float(ranks.stop.requested)])
    parts: list[Mapping[str, Tensor]] = [
        trial.gradients, {name: flat[name] for name in moved}, trial.spikes,
        metrics_on_device(trial.scores, labels, {}, scoring_of(model)), {"asks": asks},
    ]  # fmt: skip
    kind = trial.scores.dtype
    means = share.means({f"{i}/{name}": value.to(kind) for i, part in enumerate(parts) for name, value in part.items()})
    gradients, averages, spikes, figures, stops = (
        {name: means[f"{i}/{name}"] for name in part} for i, part in enumerate(parts)
    )
    ranks.stop_requested = bool(stops["asks"] > 0)
    return replace(
        trial, gradients=gradients, learned=from_tensors({**flat, **averages}), spikes=spikes,
        figures={**figures, **{f"spikes.{name}": value for name, value in spikes.items()}},
    )  # fmt: skip


def _is_mean(learned: Learned, path: str) -> bool:
    """Whether a tensor of everything learned is a mean over the samples of trials."""
    kind, _, rest = path.partition("/")
    if kind == "parameters" or path.endswith(f"/{RUNNING[1]}"):
        return False
    return kind != "signal" or isinstance(learned.signal.get(rest.rpartition("/")[0]), RunningMean)
