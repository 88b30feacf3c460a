"""Training and evaluation over a user's own data: a loader that yields batches, a data set, or a pair of arrays."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.encoder import Encoder
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.options import check_flag
from neurorules.language.ranges import Count, check_range
from neurorules.language.rates import rate_schedule
from neurorules.native.compile import clock
from neurorules.network.model import Model
from neurorules.runs.progress import progress
from neurorules.torch_path.training.arguments import Labels, Spikes
from neurorules.torch_path.training.batches import epoch_order
from neurorules.torch_path.training.checks import check_targets
from neurorules.torch_path.training.drives import Reading, drives
from neurorules.torch_path.trial.observe import Response
from neurorules.torch_path.update.figures import Tally, figure_names, predicted, scoring_of

_log = logging.getLogger(__name__)
Loader = Any
"""A DataLoader, a list of batches, or any other iterable of (samples, labels) or (sample, label) that can be read
repeatedly; a data set of torch or tonic; or a pair (x, y) of all samples and labels."""
BATCH_SIZE, ROWS = 128, 500
"""The number of samples of a batch if the data have no batches, for learning and for evaluation."""
Row = dict[str, int | float]
"""One row of figures by name."""
Callback = Callable[[Row], Any]
"""A function that is called with the row of each epoch. If it returns True, training ends."""
Callbacks = Any
"""One `Callback`, or a list or tuple of several."""


@runtime_checkable
class Learns(Protocol):
    """The methods of a `Learner` that the loops use."""

    model: Model
    steps: int
    seed: int
    encoder: Encoder | None

    def step(self, spikes: Spikes, labels: Labels, fraction: float = 1.0) -> dict[str, float]:
        """Learn from one batch of samples.

        Args:
            spikes: the spikes of the batch.
            labels: the labels of its samples.
            fraction: the share of the learning rates, >= 0.

        Returns:
            Loss and accuracy of the batch, and other figures by name.
        """
        ...

    def respond(self, spikes: Spikes) -> Response:
        """Run a batch without learning, and return class scores and the activity of every layer."""
        ...


def fit(
    learner: Learns, loader: Loader, epochs: int = 1, *, lr_schedule: str = "cosine", batch_first: bool | None = None,
    batch_size: int = BATCH_SIZE, callbacks: Callbacks = (), quiet: bool = True, keys: Sequence[str] | None = None,
) -> list[Row]:  # fmt: skip
    """Learn from all batches of a loader, or all samples of a data set or a pair, several times over.

    Args:
        learner: the learner.
        loader: a loader that yields batches (samples, labels), or (sample, label) in the order of learning; or a
            map-style data set or a pair (x, y), whose order the learner's seed and the epoch decide. Samples are (B,
            *input) where they are the same at each step, (T, B, *input) or (B, T, *input), or arrays of events.
        epochs: the number of passes through the loader, >= 1.
        lr_schedule: the course of the learning rates: "cosine", "constant", or "steps:at=60-90:factor=0.1".
        batch_first: whether samples with a time axis are (B, T, *input); None infers it from the number of labels, if
            that is possible.
        batch_size: samples of a batch, if the data have no batches.
        callbacks: one or several, called after each epoch with its row; if one returns True, training ends after this
            epoch. `neurorules.CsvLog` and `neurorules.TensorBoardLog` are callbacks.
        quiet: show no progress bar. Otherwise there is one in a terminal, and below the cell of a notebook.
        keys: the names of the sample and of its label in samples or batches that are dicts, such as ("pixels",
            "digit"); None for the usual names.

    Returns:
        One row for each epoch that was learned: epoch (from 1), loss and accuracy (0..1), or figures of another task,
        as means over the samples while they were learned from, samples, and seconds.

    Raises:
        UserError: a batch is no pair (samples, labels), does not fit the network, or is empty; the loader yields
            nothing; or a callback cannot be called.
        Diverged: changes are not finite; none of them has been applied.
    """
    _check_numbers(epochs, batch_size, quiet)
    watching = _checked(callbacks)
    fraction_at = rate_schedule(lr_schedule)
    reading = reading_of(learner, batch_first, batch_size, keys)
    batches = drives(loader, reading).length
    names = figure_names(scoring_of(learner.model))
    rows: list[Row] = []
    with progress("learning", None if batches is None else epochs * batches, quiet) as bar:
        for epoch in range(epochs):
            started, totals, samples = clock(), dict.fromkeys(names, 0.0), 0
            read = drives(loader, reading, partial(epoch_order, learner.seed, epoch))
            for number, (drive, labels) in enumerate(read):
                part = number / read.length if read.length else 0.0
                metrics = learner.step(drive, labels, fraction_at(epoch + part, epochs))
                count = len(labels)
                totals = {name: total + count * metrics[name] for name, total in totals.items()}
                samples += count
                shown = names[1]  # the accuracy, or the first figure of another task
                bar.advance(note=f"epoch {epoch + 1}, {shown} {totals[shown] / max(samples, 1):.3f}")
            if not samples:
                raise UserError(_spent(epoch))
            means = {name: total / samples for name, total in totals.items()}
            row: Row = {"epoch": epoch + 1, **means, "samples": samples, "seconds": clock() - started}
            rows.append(row)
            answers = [callback(row) for callback in watching]
            if any(answer is True for answer in answers):
                break
    return rows


def _check_numbers(epochs: Any, batch_size: Any, quiet: Any) -> None:
    """Refuse arguments of another kind, such as labels that are not in a pair with their samples.

    Args:
        epochs, batch_size, quiet: as in `fit`.

    Raises:
        UserError: one is no number of epochs or samples, or no truth value.
    """
    if not isinstance(epochs, int | float | str | None):
        raise UserError(
            f"fit takes samples and labels as one pair, and epochs is {type(epochs).__name__}. "
            "Write fit((x, y), epochs=5)"
        )
    check_range("epochs", epochs, Count)
    check_range("batch_size", batch_size, Count)
    check_flag("quiet", quiet)


def _checked(callbacks: Callbacks) -> list[Callback]:
    """The callbacks as a list.

    Raises:
        UserError: one cannot be called.
    """
    listed = [callbacks] if callable(callbacks) else callbacks
    if not isinstance(listed, list | tuple) or not all(callable(one) for one in listed):
        raise UserError(
            f"callbacks are {callbacks!r:.60}. Give a function of an epoch's row, or a list of such functions"
        )
    return list(listed)


def evaluate_loader(
    learner: Learns, loader: Loader, *, batch_first: bool | None = None, keys: Sequence[str] | None = None
) -> Row:
    """Run all batches of a loader once, without learning.

    Args:
        learner: the learner to evaluate.
        loader: as in `fit`.
        batch_first, keys: as in `fit`.

    Returns:
        accuracy (0..1) and loss (cross-entropy of the class scores), means over the samples, or the figures of another
        task (`Tally.figures`); samples; and spikes_per_sample of the hidden layers.

    Raises:
        UserError: as in `fit`.
    """
    hidden = [index for index, layer in enumerate(learner.model.network.hidden) if layer.neuron.spiking]
    tally, spikes, samples = Tally(scoring_of(learner.model)), 0.0, 0
    for drive, targets in drives(loader, reading_of(learner, batch_first, ROWS, keys)):
        response = learner.respond(drive)
        scores, steps = response.scores, response.activity[-1].steps
        labels = check_targets(targets, drive, steps, learner.model, (scores.device, scores.dtype))
        tally.add(scores, labels)
        spikes += sum(float(response.activity[index].S.values.sum()) for index in hidden)
        samples += len(labels)
    if not samples:
        raise UserError(_spent(0))
    return {**tally.figures(), "samples": samples, "spikes_per_sample": spikes / samples}


def predict(learner: Learns, samples: Any, *, batch_first: bool | None = None) -> Tensor:
    """Compute the network's predictions of samples, without learning. They are read as `evaluate` reads them.

    Args:
        learner: the learner that predicts.
        samples: (B, *input) where they are the same at each step; spikes or currents over time, (T, B, *input); a list
            of arrays of events; or a `Series`.
        batch_first: if given, samples have a time axis; True says that they are (B, T, *input).

    Returns:
        Class indices (B,), int64; for several labels 0 or 1 for each, (B, C), int64; values (B, O); if each step has a
        target, (B, T) or (B, T, O). They are on the learner's device.

    Raises:
        UserError: the samples do not fit the network, or there are none.
    """
    scoring = scoring_of(learner.model)
    if isinstance(samples, Series):
        return predicted(scoring, learner.respond(samples).scores)
    if not isinstance(samples, Tensor | np.ndarray | list) or len(samples) == 0:
        what = "empty" if isinstance(samples, Tensor | np.ndarray | list) else f"a {type(samples).__name__}"
        raise UserError(f"the samples are {what}. Give an array, or a list of arrays of events, without labels")
    shape = (len(samples),) if isinstance(samples, list) else tuple(samples.shape)
    if batch_first is None and len(shape) == 2 + len(learner.model.network.input_shape):
        batch_first = False
        if learner.steps == shape[1] != shape[0]:
            _log.warning(
                "samples of the shape %s are read as %d steps of %d samples, and the learner has %d steps. Where the "
                "samples stand first, say batch_first=True", shape, *shape[:2], learner.steps,
            )  # fmt: skip
    labels = np.zeros(shape[1] if batch_first is False and len(shape) > 1 else shape[0], dtype=np.int64)
    read = drives((samples, labels), reading_of(learner, batch_first, ROWS))
    return torch.cat([predicted(scoring, learner.respond(drive).scores) for drive, _ in read])


def reading_of(
    learner: Learns, batch_first: bool | None, batch_size: int, keys: Sequence[str] | None = None
) -> Reading:
    """The way in which samples are read for a learner.

    Args:
        learner: the learner that they are for.
        batch_first: as in `fit`.
        batch_size: as in `fit`.
        keys: as in `fit`.

    Returns:
        The learner's shape, steps, encoder and seed, and the user's arguments about samples.
    """
    from neurorules.datasets._own.fields import check_order, checked_keys

    check_order(batch_first)
    shape = learner.model.network.input_shape
    return Reading(shape, learner.steps, learner.encoder, learner.seed, batch_first, batch_size, checked_keys(keys))


def _spent(epoch: int) -> str:
    if epoch:
        return (
            f"the loader yielded nothing in epoch {epoch + 1}: it can be gone through once only. Give a DataLoader or "
            f"a list, or epochs=1"
        )
    return "the loader yielded no batch. Give one that yields (samples, labels)"
