"""What a pass predicts, against its target: the read-out's own learning signal, and the error that others are told."""

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
    """Prediction p, target y, and m, the derivative of the rule's loss by the output; (B, classes) each."""

    p: Tensor
    y: Tensor
    m: Tensor

    def spread(self, steps: int) -> Output:
        """The same over the steps of a trial: a text's value is summed over them."""
        return Output(*(per_step(value, steps) for value in (self.p, self.y, self.m)))


def compare_output(rule: Rule, output: Tensor, labels: Tensor) -> Output:
    """Prediction and error of a pass.

    Args:
        rule: names the loss and its targets.
        output: time average of the read-out's, (B, classes).
        labels: (B,) class indices.
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
    """Cross-entropy of the scores (B, classes), accuracy in 0..1, and spikes a sample by layer."""
    return {name: float(value) for name, value in metrics_on_device(scores, labels, spikes).items()}


def metrics_on_device(scores: Tensor, labels: Tensor, spikes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`metrics_of` as tensors (), for devices that are not waited for."""
    loss = torch.nn.functional.cross_entropy(scores, labels)
    right = (scores.argmax(1) == labels).float().mean()
    return {"loss": loss, "accuracy": right, **{f"spikes.{k}": v for k, v in spikes.items()}}
