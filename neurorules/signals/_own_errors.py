"""The errors of a layer's own read-out, from the mean spikes of a trial or from the spikes of each step."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.contracts.signal import one_hot, spread_in_time
from neurorules.contracts.target import OF_CLASSES, OF_VALUES
from neurorules.contracts.view import View, require
from neurorules.language.settings import Task
from neurorules.signals._features import from_features, to_features

Errors = Literal["trial", "step"]
"""Whether the read-out of a layer has one error per trial, from mean spikes, or one at each step."""


class OwnRows(NamedTuple):
    """The features and targets that a layer's own read-out compares.

    Args:
        features: the features of the layer, one row per sample, or per step and sample, (R, F).
        target: the target of each row, (R, C).
        share: number of steps by which the error of a row is divided; 1 if there is one row per trial and sample.
        before: number of steps at the start of the window that are not scored.
        view: the signal's view of the layer.
    """

    features: Float[Tensor, "R F"]
    target: Float[Tensor, "R C"]
    share: int
    before: int
    view: View

    def third_factor(self, gradient: Float[Tensor, "R F"]) -> Series:
        """m from the derivative of the loss with respect to the features.

        Args:
            gradient: the gradient of each row.

        Returns:
            A constant series (B, *shape) for the mean of a trial; otherwise (W, B, *shape) for the steps of the window,
            with 0 at steps that are not scored.
        """
        shape = self.view.layer.shape
        if "input" not in self.view.every:
            return spread_in_time(from_features(gradient, shape), shape, self.view.steps)
        m = torch.zeros_like(self.view.every["input"])
        if len(gradient):
            m[self.before :] = from_features(gradient, shape).reshape(-1, *m.shape[1:])
        return Series(m, False)


def own_rows(view: View, outputs: int) -> OwnRows:
    """The features and targets for the read-out of a layer: for each step if the signal reads `every`, else for the
    trial.

    Args:
        view: the signal's view of the layer.
        outputs: number of classes or outputs.

    Returns:
        Features and targets.
    """
    labels = require(view.labels, "target")
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
    """Derivative of a read-out's loss with respect to its outputs: of classes, of several labels, or of values.

    Args:
        outputs: the outputs of the read-out.
        target: one-hot rows of classes, or the targets of another task.
        task: the kind of targets.

    Returns:
        softmax(outputs) - target for classes, sigmoid(outputs) - target for several labels, and outputs - target for
        values.
    """
    if task in OF_VALUES:
        return outputs - target
    return (torch.softmax(outputs, -1) if task in OF_CLASSES else torch.sigmoid(outputs)) - target
