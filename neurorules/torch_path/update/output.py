"""What a pass predicts, against its target: the read-out's third factor, and the error that others are taught by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.series import per_step
from neurorules.contracts.signal import one_hot
from neurorules.language.rules import Rule
from neurorules.torch_path.process.session import own_session


class Output(NamedTuple):
    """Prediction and error of a pass.

    Args:
        p: prediction, (B, C).
        y: its target, (B, C).
        m: derivative of the rule's loss by the output, (B, C).
    """

    p: Tensor
    y: Tensor
    m: Tensor

    def spread(self, steps: int) -> Output:
        """The same, divided by the steps of a trial, over which the value of a text is summed."""
        return Output(*(per_step(value, steps) for value in (self.p, self.y, self.m)))


def compare_output(rule: Rule, output: Tensor, labels: Tensor) -> Output:
    """Prediction and error of a pass.

    Args:
        rule: names the loss and its targets.
        output: average over time of the read-out's output, (B, C).
        labels: class indices (B,), 0 .. C - 1.

    Returns:
        Prediction, target and error. For cross-entropy the prediction is softmax(output), in 0..1.
    """
    target = one_hot(labels, output.shape[1], output)
    if rule.loss == "cross_entropy":
        prediction = torch.softmax(output, 1)
        return Output(prediction, target, prediction - target)
    hit, miss = rule.targets
    target = miss + (hit - miss) * target
    return Output(output, target, output - target)


@own_session()
def metrics_of(scores: Tensor, labels: Tensor, spikes: Mapping[str, Tensor]) -> dict[str, float]:
    """Figures of a batch, as numbers.

    Args:
        scores: one per sample and class, (B, C).
        labels: class indices (B,).
        spikes: by layer, number of spikes per sample.

    Returns:
        "loss", the cross-entropy of the scores in nats; "accuracy", in 0..1; "spikes.<layer>", spikes per sample.
    """
    return {name: float(value) for name, value in metrics_on_device(scores, labels, spikes).items()}


def metrics_on_device(scores: Tensor, labels: Tensor, spikes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The figures of `metrics_of` as tensors, for devices that are not waited for.

    Args:
        scores: one per sample and class, (B, C).
        labels: class indices (B,).
        spikes: by layer, number of spikes per sample.

    Returns:
        The same figures by the same names, () each.
    """
    loss = torch.nn.functional.cross_entropy(scores, labels)
    right = (scores.argmax(1) == labels).float().mean()
    return {"loss": loss, "accuracy": right, **{f"spikes.{k}": v for k, v in spikes.items()}}
