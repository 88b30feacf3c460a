"""Checks whose answers are numbers on a device: read at once on a CPU, and later on a GPU, so that the CPU does not
wait for it.

A GPU runs some time behind the program that launches its work. A step that waits to know whether its gradients are
finite leaves the GPU idle. On a GPU, the numbers are therefore copied to the host in the background. A step with a
failed check, and every step after it, changes nothing on the device, until the answer has come and the error is raised.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.parameter_key import key_of
from neurorules.language.errors import UserError
from neurorules.network.network import Network

LARGEST = torch.finfo(torch.float64).max
"""The largest finite number."""
MOST = 32
"""The largest number of steps by which a program may be ahead of the device."""


class Diverged(UserError):
    """The numbers of a training are no longer finite. The changes of the trial in which that was found are not
    applied.
    """


class Doubt(NamedTuple):
    """Numbers that must lie in a range, and the error if one does not. NaN lies in no range.

    Args:
        numbers: (K,), on the device.
        low, high: the ends of the range, which belong to it.
        complaint: a function that builds the error from the numbers.
        answer: the result of `wrong` if it has been computed; otherwise None.
    """

    numbers: Tensor
    low: float
    high: float
    complaint: Callable[[Sequence[float]], UserError]
    answer: Tensor | None = None

    def check(self, numbers: Sequence[float]) -> None:
        """Raise the error if a number lies outside the range.

        Args:
            numbers: as read from the device.

        Raises:
            UserError: a number lies outside.
        """
        if not all(self.low <= number <= self.high for number in numbers):
            raise self.complaint(numbers)

    def ask(self, doubts: list[Doubt] | None) -> bool:
        """Check the numbers at once if they are on a CPU, or if checks have to wait for the device.

        Args:
            doubts: a list for a check whose numbers are on another device; None if checks wait.

        Returns:
            True if the check remains to be answered.
        """
        if doubts is None or self.numbers.device.type == "cpu":
            self.check(self.numbers.tolist())
            return False
        doubts.append(self)
        return True

    def wrong(self) -> Tensor:
        """Whether one of the numbers lies outside, a truth value () on the device."""
        if self.answer is not None:
            return self.answer
        return ((self.numbers >= self.low) & (self.numbers <= self.high)).all().logical_not()


class Step(NamedTuple):
    """A step whose answers have not been read.

    Args:
        doubts: the doubts about the step.
        metrics: the names of the numbers that come after those of the doubts.
        answers: all numbers, which are on the host after the event `arrival`.
        undo: a function that restores the learner, apart from the parameters, which have not changed.
    """

    doubts: Sequence[Doubt]
    metrics: Sequence[str]
    answers: Tensor
    arrival: Any
    undo: Callable[[], None]


class Outstanding:
    """The steps of a learner whose answers have not been read, and the metrics that have not been taken."""

    def __init__(self) -> None:
        self.steps: deque[Step] = deque()
        self.metrics: deque[dict[str, float]] = deque()
        self._wrong: Tensor | None = None

    def stuck(self, device: torch.device) -> Tensor:
        """Whether a step under way has a failed check, so that nothing may change: a truth value () on the device."""
        return torch.zeros((), dtype=torch.bool, device=device) if self._wrong is None else self._wrong

    def wrong(self, doubts: Sequence[Doubt]) -> Tensor:
        """Whether this step or an earlier one has a failed check: a truth value () on the device."""
        every = [doubt.wrong() for doubt in doubts] + ([] if self._wrong is None else [self._wrong])
        return torch.stack(every).any()

    def add(
        self, doubts: Sequence[Doubt], wrong: Tensor, metrics: Mapping[str, Tensor], undo: Callable[[], None]
    ) -> None:
        """Add a queued step, whose answers are still to come.

        Args:
            doubts: the doubts about the step.
            wrong: whether one of its checks fails, () on the device.
            metrics: the metrics of the step by name, () each.
            undo: a function that restores the learner, apart from the parameters.
        """
        numbers = [doubt.numbers for doubt in doubts] + [value.double().reshape(1) for value in metrics.values()]
        answers, arrival = _to_host(torch.cat(numbers))
        self.steps.append(Step(doubts, tuple(metrics), answers, arrival, undo))
        self._wrong = wrong

    def settle(self, wait: bool = True) -> None:
        """Read the answers that have come, or with `wait` all of them.

        Raises:
            UserError: a check of a step failed; that step and those after it are undone.
        """
        while self.steps:
            first = self.steps[0]
            if first.arrival is not None and not first.arrival.query():
                if not wait and len(self.steps) <= MOST:
                    return
                first.arrival.synchronize()
            numbers, at = first.answers.tolist(), 0
            for doubt in first.doubts:
                at += len(doubt.numbers)
                try:
                    doubt.check(numbers[at - len(doubt.numbers) : at])
                except UserError:
                    first.undo()
                    self.forget()
                    raise
            self.steps.popleft()
            if first.metrics:
                self.metrics.append(dict(zip(first.metrics, numbers[at:], strict=True)))

    def take(self) -> list[dict[str, float]]:
        """The metrics of all steps that have not been taken, oldest first; waits for those under way."""
        self.settle()
        taken = list(self.metrics)
        self.metrics.clear()
        return taken

    def forget(self) -> None:
        """Drop all steps under way."""
        self.steps.clear()
        self._wrong = None


def _to_host(numbers: Tensor) -> tuple[Tensor, Any]:
    """A copy to the host that is under way, and the event of its arrival; on a CPU the numbers themselves."""
    if numbers.device.type != "cuda":
        return numbers, None
    copy = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
    copy.copy_(numbers, non_blocking=True)
    arrival = torch.cuda.Event()
    arrival.record(torch.cuda.current_stream(numbers.device))
    return copy, arrival


def to_device(values: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Move values to a device. The copy is waited for only if it reads memory that the user might change meanwhile.

    Args:
        values: the values, on any device.
        device: the device to move them to.
        dtype: their data type there.

    Returns:
        The values on the device; the same tensor if it is there already.
    """
    sent = values.device.type == "cpu" and device.type == "cuda" and not values.is_pinned()
    return values.to(device, dtype, non_blocking=sent)


def check_finite(gradients: Mapping[str, Tensor], network: Network, scores: Tensor | None = None) -> None:
    """Refuse changes that cannot be applied.

    Args:
        gradients: the gradients of a trial, by parameter.
        network: the network, whose layers the message names.
        scores: the scores of the trial, (B, C); None without scores.

    Raises:
        Diverged: a change or a score is not finite; the message names the layer and likely causes.
    """
    for doubt in finite_doubts(gradients, network, scores):
        doubt.ask(None)


def finite_doubts(gradients: Mapping[str, Tensor], network: Network, scores: Tensor | None = None) -> list[Doubt]:
    """The checks of `check_finite` as doubts, which do not wait for the device.

    Args:
        gradients: the gradients of a trial, by parameter.
        network: the network, whose layers the message names.
        scores: the scores of the trial, (B, C); None without scores.

    Returns:
        One doubt, or none if there is nothing to check.
    """
    names = list(gradients)
    sizes = list(torch._foreach_norm([gradients[name] for name in names])) if names else []
    if scores is not None:
        names.append("readout.output")
        sizes.append(scores.abs().max())

    def diverged(numbers: Sequence[float]) -> Diverged:
        name = next(name for name, size in zip(names, numbers, strict=True) if not math.isfinite(size))
        layer = key_of(name).layer
        steadier = next((a.neuron.steadier for a in network.layers if a.name == layer), "or a smaller signal")
        return Diverged(
            f"'{name}' is no longer finite: layer '{layer}' diverged. Lower the learning rate (--lr, --readout-lr), "
            f"keep the currents in scale (--norm streaming), {steadier}"
        )

    return [Doubt(torch.stack(sizes).double(), -LARGEST, LARGEST, diverged)] if sizes else []
