"""The prediction of a pass and its target: the read-out's third factor, and the error that other layers learn from."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.target import OF_CLASSES, OF_VALUES, PER_STEP, target_rows
from neurorules.language.rules import Rule
from neurorules.language.settings import Task


class Output(NamedTuple):
    """Prediction and error of a pass.

    Args:
        p: prediction, (B, O); or one at each step, (T, B, O), if each step has an error of its own.
        y: its target, likewise.
        m: derivative of the rule's loss with respect to the average output, (B, O), or to the output of each step, (T,
            B, O). In the second case p, y and m are divided by the number of steps that count, and are 0 at all others.
    """

    p: Tensor
    y: Tensor
    m: Tensor

    def of_neurons(self, per_class: int) -> Output:
        """Hand prediction and error of each class to all its read-out neurons.

        Args:
            per_class: number of read-out neurons of each class, >= 1.

        Returns:
            Values of (B, O * per_class).
        """
        return self if per_class == 1 else Output(*(value.repeat_interleave(per_class, -1) for value in self))

    def spread(self, steps: int, start: int, stop: int) -> Output:
        """Divide the output of a window's steps by the steps of a trial, over which the value of a text is summed.

        Args:
            steps: the number of steps of the trial, T.
            start: first step of the window.
            stop: the step after its last one.

        Returns:
            The divided values, (B, O) or (stop - start, B, O).
        """
        if self.m.ndim == 3:
            return Output(*(value[start:stop] for value in self))
        return Output(*(value / steps for value in (self.p, self.y, self.m)))


def compare_output(rule: Rule, output: Tensor, labels: Tensor, task: Task = "classes") -> Output:
    """Prediction and error of a pass.

    Args:
        rule: names the loss and its targets.
        output: average over time of the read-out's output, (B, O); or its output at some steps, (B, n, O).
        labels: targets of the task, for each sample or each of these steps: class indices, or vectors of O.
        task: the kind of targets.

    Returns:
        Prediction, target and error, of the output's shape. For cross-entropy the prediction is softmax(output), or for
        several labels sigmoid(output), in 0..1.
    """
    target = target_rows(labels, output.shape[-1], output)
    if task in OF_VALUES:
        return Output(output, target, output - target)
    if rule.loss == "cross_entropy":
        prediction = torch.softmax(output, -1) if task in OF_CLASSES else torch.sigmoid(output)
        return Output(prediction, target, prediction - target)
    hit, miss = rule.targets
    target = miss + (hit - miss) * target
    return Output(output, target, output - target)


def compare_steps(rule: Rule, outputs: Tensor, labels: Tensor, task: Task, scored: int) -> Output:
    """Prediction and error of a pass in which each step has an error of its own.

    Args:
        rule: names the loss and its targets.
        outputs: the read-out's output at each step, (T, B, O).
        labels: targets of the task.
        task: the kind of targets.
        scored: the number of last steps that count, 1 .. T.

    Returns:
        Prediction, target and error for each step, (T, B, O): computed from the output of the step or from the average
        over the steps that count, divided by their number, and 0 at earlier steps.
    """
    first, last = len(outputs) - scored, outputs[len(outputs) - scored :]
    if task in PER_STEP or rule.errors == "step":
        own = labels[:, first:] if task in PER_STEP else labels[:, None].expand(-1, scored, *labels.shape[1:])
        compared = compare_output(rule, last.transpose(0, 1), own, task)
        values = [value.transpose(0, 1) for value in compared]
    else:
        compared = compare_output(rule, last.mean(0), labels, task)
        values = [value.expand_as(last) for value in compared]
    before = outputs.new_zeros(first, *outputs.shape[1:])
    return Output(*(torch.cat([before, value / scored]) for value in values))
