"""Checks whose answers are numbers on a device: read at once on a CPU, and later on a GPU, which nobody then waits for.

A GPU works behind the program that feeds it. A step that asks whether its gradients are finite, and waits for the
answer, lets it run dry. So there the numbers are copied to the host as they come, a step that must not count is made
to change nothing on the device itself, and so is every step after it, until the answer has arrived and is raised.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.language.errors import UserError

LARGEST = torch.finfo(torch.float64).max
"""The largest finite number."""
MOST = 32
"""How many steps a program may be ahead of the device."""


class Doubt(NamedTuple):
    """Numbers that must lie in a range, and what is said where one does not. NaN lies in no range.

    Args:
        numbers: (K,), on the device.
        low, high: ends of the range, included.
        complaint: makes the error from the numbers, read.
        answer: what `wrong` gives, where it has been computed; else None.
    """

    numbers: Tensor
    low: float
    high: float
    complaint: Callable[[Sequence[float]], UserError]
    answer: Tensor | None = None

    def check(self, numbers: Sequence[float]) -> None:
        """Raise the complaint where the numbers do not lie where they must.

        Args:
            numbers: as read from the device.

        Raises:
            UserError: one lies outside.
        """
        if not all(self.low <= number <= self.high for number in numbers):
            raise self.complaint(numbers)

    def wrong(self) -> Tensor:
        """Whether one of the numbers lies outside, a truth value () on the device."""
        if self.answer is not None:
            return self.answer
        return ((self.numbers >= self.low) & (self.numbers <= self.high)).all().logical_not()


class Step(NamedTuple):
    """A step whose answers have not been read.

    Args:
        doubts: about it.
        metrics: names of the numbers that stand behind those of the doubts.
        answers: all numbers, on the host as soon as `arrival`.
        undo: makes the learner what it was before the step, but for the parameters, which have not changed.
    """

    doubts: Sequence[Doubt]
    metrics: Sequence[str]
    answers: Tensor
    arrival: Any
    undo: Callable[[], None]


class Outstanding:
    """The steps of a learner whose answers have not been read, and the metrics that nobody has taken."""

    def __init__(self) -> None:
        self.steps: deque[Step] = deque()
        self.metrics: deque[dict[str, float]] = deque()
        self._wrong: Tensor | None = None

    def stuck(self, device: torch.device) -> Tensor:
        """Whether a step under way must not count, so that nothing may move: a truth value () on the device."""
        return torch.zeros((), dtype=torch.bool, device=device) if self._wrong is None else self._wrong

    def wrong(self, doubts: Sequence[Doubt]) -> Tensor:
        """Whether a step with these doubts, or one before it, must not count: a truth value () on the device."""
        every = [doubt.wrong() for doubt in doubts] + ([] if self._wrong is None else [self._wrong])
        return torch.stack(every).any()

    def add(
        self, doubts: Sequence[Doubt], wrong: Tensor, metrics: Mapping[str, Tensor], undo: Callable[[], None]
    ) -> None:
        """Let a step that has been queued wait for its answers.

        Args:
            doubts: about the step.
            wrong: whether it must not count, () on the device.
            metrics: of the step by name, () each.
            undo: makes the learner what it was before the step, but for the parameters.
        """
        numbers = [doubt.numbers for doubt in doubts] + [value.double().reshape(1) for value in metrics.values()]
        answers, arrival = _to_host(torch.cat(numbers))
        self.steps.append(Step(doubts, tuple(metrics), answers, arrival, undo))
        self._wrong = wrong

    def settle(self, wait: bool = True) -> None:
        """Read the answers that have arrived, or with `wait` all of them.

        Raises:
            UserError: a step did not count; nor did those after it, and the learner is what it was before it.
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
        """The metrics of all steps whose metrics nobody has taken, oldest first; waits for those under way."""
        self.settle()
        taken = list(self.metrics)
        self.metrics.clear()
        return taken

    def forget(self) -> None:
        """Ask for nothing that is under way."""
        self.steps.clear()
        self._wrong = None


def _to_host(numbers: Tensor) -> tuple[Tensor, Any]:
    """A copy under way to the host, and the event that tells when it has arrived; on a CPU the numbers themselves."""
    if numbers.device.type != "cuda":
        return numbers, None
    copy = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
    copy.copy_(numbers, non_blocking=True)
    arrival = torch.cuda.Event()
    arrival.record(torch.cuda.current_stream(numbers.device))
    return copy, arrival


def to_device(values: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Bring values to a device. It is not waited for unless the copy reads memory that the user might change meanwhile.

    Args:
        values: anywhere.
        device: where they shall stand.
        dtype: their type there.

    Returns:
        The values on the device; themselves where they stand there already.
    """
    sent = values.device.type == "cpu" and device.type == "cuda" and not values.is_pinned()
    return values.to(device, dtype, non_blocking=sent)
