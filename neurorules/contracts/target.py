"""The kinds of targets: one class per sample, several labels, values, or one of these for each step of the trial.

| task                | targets of a batch | loss of one sample, from the outputs o of the read-out          |
|---------------------|--------------------|-----------------------------------------------------------------|
| classes             | (B,) whole numbers | -log softmax(o)[class], or sum (o - target)^2 / 2               |
| multilabel          | (B, C) of 0 and 1  | -sum log sigmoid((2 y - 1) o), or sum (o - target)^2 / 2        |
| regression          | (B, O) values      | sum (o - y)^2 / 2                                               |
| classes_per_step    | (B, T) whole       | that of classes at each step, averaged over the steps           |
| regression_per_step | (B, T, O) values   | that of regression at each step, averaged over the steps        |

The second loss belongs to rules with a squared loss: their target values are `Rule.targets`, and the first of them is
used where y is 1. Targets always have the sample axis first, even though the drive has time first. o is the average of
the read-out's output over the trial, or over its last steps (`last_steps`); if there is a target for each step, o is
the output of that step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from neurorules.language.settings import Task

TASKS: tuple[Task, ...] = get_args(Task)
"""Every kind of target."""
CLASSES: frozenset[Task] = frozenset({"classes"})
"""One class for each sample: the only task of signals that declare no other (`Signal.tasks`)."""
PER_SAMPLE: frozenset[Task] = frozenset({"classes", "multilabel", "regression"})
"""Targets that belong to a sample as a whole."""
PER_STEP: frozenset[Task] = frozenset({"classes_per_step", "regression_per_step"})
"""Targets that are one for each step of the trial."""
OF_CLASSES: frozenset[Task] = frozenset({"classes", "classes_per_step"})
"""Targets that are class indices."""
OF_VALUES: frozenset[Task] = frozenset({"regression", "regression_per_step"})
"""Targets that are values."""
FEWEST_OUTPUTS: dict[Task, int] = {task: 2 if task in OF_CLASSES else 1 for task in TASKS}
"""The smallest number of outputs; with one class there would be nothing to distinguish."""


def target_rows(
    labels: Shaped[Tensor, "*targets"], outputs: int, like: Float[Tensor, "..."]
) -> Float[Tensor, "*lead outputs"]:
    """The targets as vectors of the read-out's size: class indices become one-hot rows, and vectors are unchanged.

    Args:
        labels: class indices (B,) or (B, T), int64; or vectors (B, O) or (B, T, O), floating-point.
        outputs: number of outputs, or of classes.
        like: a tensor that gives the device and the precision of the result.

    Returns:
        (B, O), or (B, T, O) where there is a target for each step.
    """
    if labels.is_floating_point():
        return labels.to(like)
    return like.new_zeros(*labels.shape, outputs).scatter_(-1, labels[..., None], 1.0)


def probabilities(output: Float[Tensor, "*lead outputs"], task: Task) -> Float[Tensor, "*lead outputs"]:
    """The probabilities that a read-out predicts: the softmax of its output, or for several labels the sigmoid.

    A softmax of many steps runs along the first axis: on a CPU this is ten times as fast as along a last one of few
    classes.

    Args:
        output: (B, O), or (T, B, O).
        task: the kind of targets.

    Returns:
        Values in 0..1, of the same shape.
    """
    if task not in OF_CLASSES:
        return torch.sigmoid(output)
    if output.ndim == 2:
        return torch.softmax(output, -1)
    return torch.softmax(output.movedim(-1, 0).contiguous(), 0).movedim(0, -1).contiguous()


def blank_targets(
    task: Task, samples: int, steps: int, outputs: int, like: Float[Tensor, "..."]
) -> Shaped[Tensor, "*targets"]:
    """Targets that are all 0, for a trial from which nothing is learned.

    Args:
        task: the kind of targets.
        samples: number of samples B.
        steps: T.
        outputs: number of outputs O.
        like: a tensor that gives the device, and the precision of targets that are not class indices.

    Returns:
        (B,) or (B, T) int64, or (B, O) or (B, T, O).
    """
    lead = (samples, steps) if task in PER_STEP else (samples,)
    if task in OF_CLASSES:
        return torch.zeros(lead, dtype=torch.int64, device=like.device)
    return like.new_zeros(*lead, outputs)


class Figure(NamedTuple):
    """A figure that measures how good predictions are.

    Args:
        words: the name of the figure in a table.
        share: whether it is a share in 0..1, shown in percent; otherwise it is in the unit of the targets.
        higher: whether higher is better.
    """

    words: str
    share: bool = True
    higher: bool = True


FIGURES: dict[str, Figure] = {
    "accuracy": Figure("accuracy"),
    "f1": Figure("F1"),
    "label_accuracy": Figure("accuracy per label"),
    "exact_match": Figure("exact match"),
    "mse": Figure("mean squared error", share=False, higher=False),
    "mae": Figure("mean absolute error", share=False, higher=False),
    "r2": Figure("R2", share=False),
}
"""Figures by the name that follows `test_`, `validation_` and `train_` in results and metrics."""
OF_ALL = frozenset({"f1", "r2"})
"""Figures that are computed from all samples together, and are not means over batches."""
FIGURES_OF: dict[Task, tuple[str, ...]] = {
    task: ("accuracy",) if task in OF_CLASSES
    else ("f1", "label_accuracy", "exact_match") if task == "multilabel"
    else ("mse", "mae", "r2")
    for task in TASKS
}  # fmt: skip
"""The figures of each task. The first one is used for choosing, and in tables that show a single figure."""


def first_figure(result: Mapping[str, Any]) -> str:
    """The name of the figure by which results are chosen and shown; a result that names no task is one of classes."""
    return FIGURES_OF[result.get("task") or "classes"][0]


def shown(name: str, value: float) -> str:
    """Format a figure, as in `97.21 %` or `mse 0.0412`.

    Args:
        name: a key of `FIGURES`.
        value: the value as results store it.

    Returns:
        A share in percent, with the figure's name unless it is an accuracy; otherwise the name and four digits.
    """
    figure = FIGURES[name]
    number = f"{100 * value:.2f} %" if figure.share else f"{value:.4g}"
    return number if name == "accuracy" else f"{figure.words} {number}"
