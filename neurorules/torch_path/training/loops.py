"""Training and evaluation over a user's own loader: anything that yields batches (samples, labels)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, check_range
from neurorules.language.rates import rate_schedule
from neurorules.network.model import Model
from neurorules.torch_path.training.arguments import Labels, Spikes, to_series
from neurorules.torch_path.training.checks import check_labels
from neurorules.torch_path.trial.observe import Response

Loader = Iterable[Any]
"""A DataLoader, a list of batches, or anything else that yields (samples, labels) and can be gone through again."""
Row = dict[str, int | float]
"""Figures by name."""
Watcher = Callable[[Row], None]
"""A function that is called after each epoch with its row."""


@runtime_checkable
class Learns(Protocol):
    """What the loops ask of a `Learner`."""

    model: Model

    def step(self, spikes: Spikes, labels: Labels, fraction: float = 1.0) -> dict[str, float]:
        """Learn from one batch.

        Args:
            spikes: of the batch.
            labels: of its samples.
            fraction: of the learning rates, >= 0.

        Returns:
            Loss and accuracy of the batch, and other figures by name.
        """
        ...

    def respond(self, spikes: Spikes) -> Response:
        """Run a batch without learning, and return class scores and the activity of every layer."""
        ...


def fit(
    learner: Learns,
    loader: Loader,
    epochs: int = 1,
    *,
    lr_schedule: str = "cosine",
    batch_first: bool | None = None,
    after_epoch: Watcher | None = None,
) -> list[Row]:
    """Learn from all batches of a loader, several times over.

    Args:
        learner: what learns.
        loader: yields batches (samples, labels), the same number of times in each epoch if it has a length. Samples
            are (B, *input) where they are the same at each step, or (T, B, *input) or (B, T, *input).
        epochs: times the loader is gone through, >= 1.
        lr_schedule: how the learning rates fall: "cosine", "constant", or "steps:at=60-90:factor=0.1".
        batch_first: whether samples with a time axis are (B, T, *input); None finds it out by the number of labels,
            where that can be told.
        after_epoch: is called after each epoch with its row.

    Returns:
        One row for each epoch: epoch (from 1), loss and accuracy (0..1) as means over the samples while they were
        learned from, samples, and seconds.

    Raises:
        UserError: a batch that is no (samples, labels), has another shape than the network reads, or is empty; a
            loader that yields nothing.
        Diverged: changes that are not finite; none of them has been applied.
    """
    check_range("epochs", epochs, Count)
    fraction_at = rate_schedule(lr_schedule)
    batches = _length(loader)
    rows: list[Row] = []
    for epoch in range(epochs):
        started, totals, samples = time.perf_counter(), {"loss": 0.0, "accuracy": 0.0}, 0
        for number, (drive, labels) in enumerate(_batches(loader, learner, batch_first)):
            part = number / batches if batches else 0.0
            metrics = learner.step(drive, labels, fraction_at(epoch + part, epochs))
            count = len(labels)
            totals = {name: total + count * metrics[name] for name, total in totals.items()}
            samples += count
        if not samples:
            raise UserError(_spent(epoch))
        means = {name: total / samples for name, total in totals.items()}
        row: Row = {"epoch": epoch + 1, **means, "samples": samples, "seconds": time.perf_counter() - started}
        rows.append(row)
        if after_epoch is not None:
            after_epoch(row)
    return rows


def evaluate_loader(learner: Learns, loader: Loader, *, batch_first: bool | None = None) -> Row:
    """Run all batches of a loader once, without learning.

    Args:
        learner: what is evaluated.
        loader: as in `fit`.
        batch_first: as in `fit`.

    Returns:
        accuracy (0..1) and loss (cross-entropy of the class scores), means over the samples; samples; and
        spikes_per_sample of the hidden layers.

    Raises:
        UserError: as in `fit`.
    """
    hidden = [index for index, layer in enumerate(learner.model.network.hidden) if layer.neuron.spiking]
    right, loss, spikes, samples = 0, 0.0, 0.0, 0
    for drive, given in _batches(loader, learner, batch_first):
        response = learner.respond(drive)
        scores = response.scores
        labels = check_labels(given, drive, scores.shape[1], scores.device)
        right += int((scores.argmax(1) == labels).sum())
        loss += float(torch.nn.functional.cross_entropy(scores.double(), labels, reduction="sum"))
        spikes += sum(float(response.activity[index].S.values.sum()) for index in hidden)
        samples += len(labels)
    if not samples:
        raise UserError(_spent(0))
    return {
        "accuracy": right / samples, "loss": loss / samples, "samples": samples, "spikes_per_sample": spikes / samples,
    }  # fmt: skip


def _batches(loader: Loader, learner: Learns, batch_first: bool | None) -> Iterator[tuple[Series, Labels]]:
    if isinstance(loader, Tensor) or not isinstance(loader, Iterable):
        raise UserError(
            f"the loader is a {type(loader).__name__}. Give something that yields batches (samples, labels), such as a "
            f"torch.utils.data.DataLoader, or step() one batch"
        )
    for number, batch in enumerate(loader):
        if not isinstance(batch, list | tuple) or len(batch) != 2:
            what = f"{len(batch)} things" if isinstance(batch, list | tuple) else f"a {type(batch).__name__}"
            raise UserError(f"batch {number} of the loader is {what}. Let it yield (samples, labels)")
        samples, labels = batch
        yield time_first(samples, _count(labels), learner.model.network.input_shape, batch_first), labels


def time_first(samples: Spikes, labels: int, shape: tuple[int, ...], batch_first: bool | None = None) -> Series:
    """What drives a network, from the samples of one batch.

    Args:
        samples: (B, *shape), the same at each step; (T, B, *shape) or (B, T, *shape); or a `Series`, as it is.
        labels: number of labels of the batch, B.
        shape: of one sample at one step.
        batch_first: whether the axis of the batch stands before that of time; None to find it out.

    Returns:
        A series with time first; constant where the samples have no axis of time.

    Raises:
        UserError: numbers that do not fit the network, or an order of axes that cannot be told.
    """
    if isinstance(samples, Series):
        return samples
    values = to_series(samples).values
    axes = values.ndim - len(shape)
    if axes == 1:
        return Series(values, True)
    if axes != 2 or tuple(values.shape[2:]) != shape:
        wanted = ", ".join(map(str, shape))
        raise UserError(
            f"samples have shape {tuple(values.shape)}, and the network reads (B, {wanted}), or with time "
            f"(T, B, {wanted}) or (B, T, {wanted}). Reshape them"
        )
    fits = [values.shape[0] == labels, values.shape[1] == labels]
    if batch_first is None:
        if all(fits):
            raise UserError(
                f"samples have shape {tuple(values.shape)}, and {labels} labels: either axis could be time. Say which "
                f"with batch_first=True or batch_first=False"
            )
        batch_first = fits[0]
    if not fits[0 if batch_first else 1]:
        order = "(B, T, ...)" if batch_first else "(T, B, ...)"
        raise UserError(f"samples have shape {tuple(values.shape)}, read as {order}, and there are {labels} labels")
    return Series(values.transpose(0, 1) if batch_first else values, False)


def _count(labels: Any) -> int:
    try:
        return len(labels)
    except TypeError:
        raise UserError(f"labels are a {type(labels).__name__}. Give class indices, (B,) whole numbers") from None


def _length(loader: Loader) -> int:
    """Number of batches, 0 where the loader does not say."""
    try:
        return len(loader)  # type: ignore[arg-type]
    except TypeError:
        return 0


def _spent(epoch: int) -> str:
    if epoch:
        return (
            f"the loader yielded nothing in epoch {epoch + 1}: it can be gone through once only. Give a DataLoader or "
            f"a list, or epochs=1"
        )
    return "the loader yielded no batch. Give one that yields (samples, labels)"
