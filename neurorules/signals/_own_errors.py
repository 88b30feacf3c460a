"""The errors of a layer's own read-out: rows of features and targets, of a trial's mean or of each step."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.contracts.signal import one_hot, spread_in_time
from neurorules.contracts.target import OF_CLASSES, OF_VALUES
from neurorules.contracts.view import View, bought
from neurorules.language.settings import Task
from neurorules.signals._features import from_features, to_features

Errors = Literal["trial", "step"]
"""Whether an own read-out is compared once, on the mean spikes of a trial, or at each of its steps."""


class OwnRows(NamedTuple):
    """Rows that a read-out of a layer's own compares.

    Args:
        features: of the layer, a row for each sample, or for each step and sample, (R, F).
        target: of each row, (R, C).
        share: number of steps by which the error of a row is divided; 1 where there is a row for a trial.
        before: steps of the window that do not count, which come first in it.
        view: what the signal sees of the layer.
    """

    features: Float[Tensor, "R F"]
    target: Float[Tensor, "R C"]
    share: int
    before: int
    view: View

    def third_factor(self, gradient: Float[Tensor, "R F"]) -> Series:
        """m from the derivative of the loss by the features.

        Args:
            gradient: of each row.

        Returns:
            A constant series (B, *shape) of a trial's mean; else (W, B, *shape) of the window's steps, 0 at those that
            do not count.
        """
        shape = self.view.layer.shape
        if "input" not in self.view.every:
            return spread_in_time(from_features(gradient, shape), shape, self.view.steps)
        m = torch.zeros_like(self.view.every["input"])
        if len(gradient):
            m[self.before :] = from_features(gradient, shape).reshape(-1, *m.shape[1:])
        return Series(m, False)


def own_rows(view: View, outputs: int) -> OwnRows:
    """The rows that a read-out of this layer compares: of each step where the signal reads `every`, else of the trial.

    Args:
        view: what the signal sees of the layer.
        outputs: number of classes or outputs.

    Returns:
        Features and targets.
    """
    labels = bought(view.labels, "target")
    if "input" not in view.every:
        features = to_features(view.summary["input"])
        return OwnRows(features, one_hot(labels, outputs, features), 1, 0, view)
    spikes, scored = view.every["input"], view.scored or view.steps
    before = min(max(view.steps - scored - view.first, 0), len(spikes))
    last = spikes[before:]
    features = to_features(last.flatten(0, 1))
    target = one_hot(labels, outputs, features)
    if target.ndim == 3:
        target = target[:, view.first + before : view.first + len(spikes)].transpose(0, 1)
    else:
        target = target.expand(len(last), -1, -1)
    return OwnRows(features, target.flatten(0, 1), scored, before, view)


def error_of(
    outputs: Float[Tensor, "*lead C"], target: Float[Tensor, "*lead C"], task: Task
) -> Float[Tensor, "*lead C"]:
    """Derivative of a read-out's loss by its outputs: of classes, of several labels, or of values.

    Args:
        outputs: of the read-out.
        target: one-hot rows of classes, or the targets of another task.
        task: what the targets are.

    Returns:
        softmax(outputs) - target; for several labels a sigmoid of each in place of the softmax; for values outputs -
        target.
    """
    if task in OF_VALUES:
        return outputs - target
    return (torch.softmax(outputs, -1) if task in OF_CLASSES else torch.sigmoid(outputs)) - target
