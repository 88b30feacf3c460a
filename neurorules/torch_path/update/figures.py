"""The figures of scores against their targets, by the task: accuracies, or errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from neurorules.contracts.target import OF_CLASSES, OF_VALUES, PER_STEP
from neurorules.language.settings import Task
from neurorules.network.model import Model
from neurorules.torch_path.process.ranks import Ranks
from neurorules.torch_path.process.session import own_session


class Scoring(NamedTuple):
    """The targets and the loss that scores are compared with.

    Args:
        task: the kind of targets.
        loss: the loss of the rule.
        high, low: targets of a squared loss for outputs whose class or label is present, and for all others.
        last_steps: the number of last steps that count if there is a score for each step; None for all.
    """

    task: Task = "classes"
    loss: Literal["cross_entropy", "squared"] = "cross_entropy"
    high: float = 1.0
    low: float = 0.0
    last_steps: int | None = None

    @property
    def border(self) -> float:
        """The score from which on a label counts as predicted."""
        return (self.high + self.low) / 2 if self.loss == "squared" else 0.0


def scoring_of(model: Model) -> Scoring:
    """The targets and the loss that the scores of a model are compared with."""
    return Scoring(model.task, model.rule.loss, *model.rule.targets, model.last_steps)


def in_rows(scoring: Scoring, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The scores and targets that count, as rows.

    Args:
        scoring: says which steps count.
        scores: (B, O), or (B, T, O) where there is a target for each step.
        targets: the targets of the same samples.

    Returns:
        Scores (R, O), and targets (R,) or (R, O): a row for each sample, or for each step of each sample.
    """
    if scoring.task not in PER_STEP:
        return scores, targets
    first = 0 if scoring.last_steps is None else scores.shape[1] - scoring.last_steps
    return scores[:, first:].flatten(0, 1), targets[:, first:].flatten(0, 1)


def losses_of(scoring: Scoring, scores: Tensor, targets: Tensor) -> Tensor:
    """The loss of each row. For classes it is the cross-entropy of the scores, even if the rule uses a squared loss.

    Args:
        scoring: the targets and the loss that scores are compared with.
        scores: (R, O).
        targets: (R,) or (R, O), as `in_rows` gives them.

    Returns:
        The losses, (R,); cross-entropies are in nats.
    """
    if scoring.task in OF_CLASSES:
        return functional.cross_entropy(scores, targets, reduction="none")
    targets = targets.to(scores)
    if scoring.task == "multilabel" and scoring.loss == "cross_entropy":
        return functional.binary_cross_entropy_with_logits(scores, targets, reduction="none").sum(1)
    if scoring.task == "multilabel":
        targets = scoring.low + (scoring.high - scoring.low) * targets
    return (scores - targets).square().sum(1) / 2


def predicted(scoring: Scoring, scores: Tensor) -> Tensor:
    """The prediction that scores stand for.

    Args:
        scoring: says what the targets are.
        scores: (..., O).

    Returns:
        Class indices (...), int64; for several labels 0 or 1 for each, (..., O), int64; for values the scores
        themselves, (..., O).
    """
    if scoring.task in OF_CLASSES:
        return scores.argmax(-1)
    return scores if scoring.task in OF_VALUES else (scores > scoring.border).long()


def figure_names(scoring: Scoring) -> tuple[str, ...]:
    """Names of the figures of `figures_on_device`, in order."""
    if scoring.task in OF_CLASSES:
        return "loss", "accuracy"
    return ("loss", "label_accuracy", "exact_match") if scoring.task == "multilabel" else ("loss", "mse", "mae")


def figures_on_device(scoring: Scoring, scores: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Figures of a batch that are means over its rows.

    Args:
        scoring: the targets and the loss that scores are compared with.
        scores: (B, O) or (B, T, O).
        targets: the targets of the same samples.

    Returns:
        "loss"; and "accuracy" of classes, "label_accuracy" and "exact_match" of labels, all in 0..1, "mse" and "mae" of
        values; () each.
    """
    scores, targets = in_rows(scoring, scores, targets)
    if scoring.task in OF_CLASSES:
        loss = functional.cross_entropy(scores, targets)
        return {"loss": loss, "accuracy": (predicted(scoring, scores) == targets).float().mean()}
    loss = losses_of(scoring, scores, targets).mean()
    if scoring.task == "multilabel":
        right = predicted(scoring, scores) == (targets > 0.5)
        return {"loss": loss, "label_accuracy": right.float().mean(), "exact_match": right.all(1).float().mean()}
    error = scores - targets.to(scores)
    return {"loss": loss, "mse": error.square().mean(), "mae": error.abs().mean()}


@own_session()
def metrics_of(
    scores: Tensor, labels: Tensor, spikes: Mapping[str, Tensor], scoring: Scoring = Scoring()  # noqa: B008
) -> dict[str, float]:  # fmt: skip
    """The figures of a batch, as numbers.

    Args:
        scores: one per sample and output, (B, O), or for each step, (B, T, O).
        labels: class indices (B,), or the targets of another task.
        spikes: by layer, number of spikes per sample.
        scoring: the targets and the loss that scores are compared with.

    Returns:
        "loss", for classes the cross-entropy of the scores in nats; "accuracy", in 0..1, or the figures of another task
        (`figures_on_device`); "spikes.<layer>", spikes per sample.
    """
    return {name: float(value) for name, value in metrics_on_device(scores, labels, spikes, scoring).items()}


def metrics_on_device(
    scores: Tensor, labels: Tensor, spikes: Mapping[str, Tensor], scoring: Scoring = Scoring()  # noqa: B008
) -> dict[str, Tensor]:  # fmt: skip
    """The figures of `metrics_of` as tensors, so that nothing waits for the device.

    Args:
        scores, labels, spikes, scoring: as in `metrics_of`.

    Returns:
        The same figures by the same names, () each.
    """
    return {**figures_on_device(scoring, scores, labels), **{f"spikes.{k}": v for k, v in spikes.items()}}


class Tally:
    """Sums over batches, in float64, from which the figures of all samples are computed.

    Args:
        scoring: the targets and the loss that scores are compared with.
    """

    def __init__(self, scoring: Scoring) -> None:
        self.scoring = scoring
        self._sums: dict[str, Tensor] = {}
        self._rows = 0
        self._origin: Tensor | None = None

    def begin(self, targets: Tensor) -> None:
        """Look at all targets of the first batch, before ranks take their shares of it. Later batches change nothing.

        Args:
            targets: the targets of all its samples, on any device.
        """
        if self.scoring.task in OF_VALUES and self._origin is None:  # near the mean, so that squares do not lose digits
            self._origin = in_rows(self.scoring, targets, targets)[1].double().mean(0)

    def join(self, ranks: Ranks) -> None:
        """Add the sums of the other ranks, which have seen other shares of the same batches.

        Args:
            ranks: that share them.

        Raises:
            RankLost: another rank does not answer.
        """
        names = sorted(self._sums)
        rows = torch.tensor([float(self._rows)], dtype=torch.float64)
        total, *sums = ranks.sums([rows, *(self._sums[name].cpu() for name in names)])
        self._rows, self._sums = int(total), dict(zip(names, sums, strict=True))

    def add(self, scores: Tensor, targets: Tensor) -> None:
        """Count the samples of one batch.

        Args:
            scores: (B, O) or (B, T, O).
            targets: the targets of its samples, on the same device.
        """
        scores, targets = in_rows(self.scoring, scores, targets)
        exact = scores.double()
        self._rows += len(scores)
        self._add("loss", losses_of(self.scoring, exact, targets).sum())
        if self.scoring.task in OF_CLASSES:
            self._add("right", (predicted(self.scoring, scores) == targets).sum())
        elif self.scoring.task == "multilabel":
            said, true = predicted(self.scoring, scores), (targets > 0.5).long()
            self._add("right", (said == true).double().mean(1).sum())
            self._add("whole", (said == true).all(1).sum())
            self._add("hits", 2 * (said & true).sum())
            self._add("marks", said.sum() + true.sum())
        else:
            self._add_values(exact, targets.double())

    def _add_values(self, scores: Tensor, targets: Tensor) -> None:
        if self._origin is None:
            self._origin = targets.mean(0)
        error, away = scores - targets, targets - self._origin.to(targets)
        self._add("squares", error.square().sum(0))
        self._add("sizes", error.abs().mean(1).sum())
        self._add("away", away.sum(0))
        self._add("away_squares", away.square().sum(0))

    def _add(self, name: str, value: Tensor) -> None:
        value = value.double()
        self._sums[name] = self._sums[name] + value if name in self._sums else value

    def figures(self) -> dict[str, float]:
        """The figures of all batches; the first one is the one that tables name first.

        Returns:
            For classes accuracy; for labels f1 (over all labels together), label_accuracy and exact_match, all in 0..1;
            for values mse, mae, and r2, the mean over outputs of 1 - squared error / squared distance from the mean of
            the output's own targets, which is 1 at best and 0 where the mean itself is predicted. Also the mean loss of
            a row.
        """
        sums = {name: value.cpu() for name, value in self._sums.items()}
        loss = float(sums["loss"]) / self._rows
        if self.scoring.task in OF_CLASSES:
            return {"accuracy": float(sums["right"]) / self._rows, "loss": loss}
        if self.scoring.task in OF_VALUES:
            mse, mae = sums["squares"].mean() / self._rows, sums["sizes"] / self._rows
            return {"mse": float(mse), "mae": float(mae), "r2": self._r2(sums), "loss": loss}
        marks = float(sums["marks"])
        return {
            "f1": float(sums["hits"]) / marks if marks else 1.0,
            "label_accuracy": float(sums["right"]) / self._rows,
            "exact_match": float(sums["whole"]) / self._rows,
            "loss": loss,
        }

    def _r2(self, sums: Mapping[str, Tensor]) -> float:
        spread = (sums["away_squares"] - sums["away"].square() / self._rows).clamp(min=0)
        constant = spread <= torch.finfo(torch.float64).eps * sums["away_squares"]
        perfect = (sums["squares"] == 0).double()
        return float(torch.where(constant, perfect, 1 - sums["squares"] / spread.clamp(min=1e-300)).mean())
