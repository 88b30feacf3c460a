"""The targets that a sample may have: a class, several labels, values, or one of these for each step of the trial.

| task                | targets of a batch | loss of one sample, from the outputs o of the read-out          |
|---------------------|--------------------|-----------------------------------------------------------------|
| classes             | (B,) whole numbers | -log softmax(o)[class], or sum (o - target)^2 / 2               |
| multilabel          | (B, C) of 0 and 1  | -sum log sigmoid((2 y - 1) o), or sum (o - target)^2 / 2        |
| regression          | (B, O) values      | sum (o - y)^2 / 2                                               |
| classes_per_step    | (B, T) whole       | that of classes at each step, averaged over the steps           |
| regression_per_step | (B, T, O) values   | that of regression at each step, averaged over the steps        |

The second loss is that of rules whose loss is squared: their targets are `Rule.targets`, the first where y is 1. The
samples count first in all targets, also where the drive has time first. o is the average of the read-out's output over
the trial, or over its last steps (`last_steps`); where there is a target for each step, it is the output of that step.
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
"""Targets that are one class for each sample: what a signal is taught by that says nothing else (`Signal.tasks`)."""
PER_SAMPLE: frozenset[Task] = frozenset({"classes", "multilabel", "regression"})
"""Targets that belong to a sample as a whole."""
PER_STEP: frozenset[Task] = frozenset({"classes_per_step", "regression_per_step"})
"""Targets that are one for each step of the trial."""
OF_CLASSES: frozenset[Task] = frozenset({"classes", "classes_per_step"})
"""Targets that are class indices."""
OF_VALUES: frozenset[Task] = frozenset({"regression", "regression_per_step"})
"""Targets that are values."""
FEWEST_OUTPUTS: dict[Task, int] = {task: 2 if task in OF_CLASSES else 1 for task in TASKS}
"""The smallest number of outputs: one class alone leaves nothing to tell apart."""


def target_rows(
    labels: Shaped[Tensor, "*targets"], outputs: int, like: Float[Tensor, "..."]
) -> Float[Tensor, "*lead outputs"]:
    """The targets as vectors of the read-out's size: class indices become one-hot rows, vectors stay what they are.

    Args:
        labels: class indices (B,) or (B, T), int64; or vectors (B, O) or (B, T, O), floating-point.
        outputs: number of outputs, or of classes.
        like: a tensor on the device and of the precision that the result shall have.

    Returns:
        (B, O), or (B, T, O) where there is a target for each step.
    """
    if labels.is_floating_point():
        return labels.to(like)
    return like.new_zeros(*labels.shape, outputs).scatter_(-1, labels[..., None], 1.0)


def blank_targets(
    task: Task, samples: int, steps: int, outputs: int, like: Float[Tensor, "..."]
) -> Shaped[Tensor, "*targets"]:
    """Targets of a task that are all 0, as of a trial of which nothing is learned.

    Args:
        task: what they are.
        samples: number of samples B.
        steps: T.
        outputs: number of outputs O.
        like: a tensor on the device, and of the precision where they are no classes.

    Returns:
        (B,) or (B, T) int64, or (B, O) or (B, T, O).
    """
    lead = (samples, steps) if task in PER_STEP else (samples,)
    if task in OF_CLASSES:
        return torch.zeros(lead, dtype=torch.int64, device=like.device)
    return like.new_zeros(*lead, outputs)


class Figure(NamedTuple):
    """A figure that says how good predictions are.

    Args:
        words: its name in a table.
        share: whether it is a share in 0..1, which tables show in percent, or a number of the targets' own unit.
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
"""Figures by their key, which stands behind `test_`, `validation_` and `train_` in results and metrics."""
OF_ALL = frozenset({"f1", "r2"})
"""Figures that are made of all samples together, and are no mean over batches."""
FIGURES_OF: dict[Task, tuple[str, ...]] = {
    task: ("accuracy",) if task in OF_CLASSES
    else ("f1", "label_accuracy", "exact_match") if task == "multilabel"
    else ("mse", "mae", "r2")
    for task in TASKS
}  # fmt: skip
"""The figures of each task; the first one is the one that is chosen by, and that tables show where they show one."""


def first_figure(result: Mapping[str, Any]) -> str:
    """The key of the figure that a result is chosen and shown by; a result that names no task is of classes."""
    return FIGURES_OF[result.get("task") or "classes"][0]


def shown(name: str, value: float) -> str:
    """A figure in words, such as `97.21 %` or `mse 0.0412`.

    Args:
        name: its key in `FIGURES`.
        value: as results hold it.

    Returns:
        Percent of a share, with the figure's name where it is no accuracy; else the name and four digits.
    """
    figure = FIGURES[name]
    number = f"{100 * value:.2f} %" if figure.share else f"{value:.4g}"
    return number if name == "accuracy" else f"{figure.words} {number}"
