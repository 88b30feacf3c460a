"""From a user's batches to drives of a network: the order of axes, events as frames, and the encoder of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.encoder import Encoder
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.torch_path.training.arguments import Labels, Spikes, to_series
from neurorules.torch_path.training.loader_batches import batch_in, collected, is_single_sample, length_of, things_of

if TYPE_CHECKING:
    from neurorules.datasets._own.batches import Batch

Order = Callable[[int], np.ndarray]
"""A function from a number of samples to the order in which they are taken."""
ENCODING = 5_000_011
"""A number that is added to a learner's seed for the draws of its encoder."""


class Reading(NamedTuple):
    """The way in which samples are read into drives of a network.

    Args:
        shape: the shape of the network's input at one step.
        steps: the number of steps that events are counted into, and that an encoder draws.
        encoder: the encoder of the run that the network comes from; None to drive it with the samples themselves.
        seed: the seed of the encoder's draws.
        batch_first: whether batches with a time axis are (B, T, ...); None to infer it.
        batch_size: samples of a batch, if the data have no batches.
        keys: the fields of samples that are dicts, if the user names them.
    """

    shape: tuple[int, ...]
    steps: int
    encoder: Encoder | None
    seed: int
    batch_first: bool | None
    batch_size: int
    keys: tuple[str, str] | None = None


class Drives:
    """Drives and labels, batch after batch; `length` is the number of batches, or 0 if it is not known.

    Of something that has a length and yields single samples, such as an iterable data set, `length` is right from the
    first batch on.
    """

    def __init__(self, data: Any, reading: Reading, order: Order) -> None:
        from neurorules.datasets._own.batches import indexed, is_map_style, is_pair

        self.data, self.reading, self.order = data, reading, order
        whole = is_pair(data) or is_map_style(data)
        self.samples = indexed(data, "the data", reading.batch_first, reading.keys) if whole else None
        if self.samples is None:
            self.length = length_of(data, reading.batch_size, reading.keys)
        else:
            self.length = -(-self.samples.length // reading.batch_size)

    def __iter__(self) -> Iterator[tuple[Series, Labels]]:
        draws = torch.Generator().manual_seed(self.reading.seed + ENCODING)
        if self.samples is None:
            yield from self._of_loader(draws)
            return
        places, size = self.order(self.samples.length), self.reading.batch_size
        for start in range(0, len(places), size):
            yield self._of_samples(self.samples.fetch(places[start : start + size]), draws)

    def _of_loader(self, draws: torch.Generator) -> Iterator[tuple[Series, Labels]]:
        reading, things = self.reading, things_of(self.data)
        first = next(things, None)
        if first is None:
            return
        if is_single_sample(first, reading.keys):
            if not isinstance(self.data, list | tuple):
                self.length = -(-self.length // reading.batch_size)  # a length that counts samples
            for batch in collected(chain([first], things), reading.batch_size, reading.batch_first, reading.keys):
                yield self._of_samples(batch, draws)
            return
        for number, thing in enumerate(chain([first], things)):
            samples, labels = batch_in(thing, number, reading.keys)
            if isinstance(samples, Tensor | np.ndarray):
                samples = _with_axes(samples, reading.shape, 1)
            yield drive_of(samples, _count(labels), reading, draws), labels

    def _of_samples(self, batch: Batch, draws: torch.Generator) -> tuple[Series, Labels]:
        samples = batch.samples
        if isinstance(samples, np.ndarray):
            samples = _with_axes(samples, self.reading.shape, 2 if batch.timed else 1)
        reading = self.reading._replace(batch_first=True)
        return drive_of(samples, len(batch.labels), reading, draws), batch.labels


def _with_axes(samples: Any, shape: tuple[int, ...], lead: int) -> Any:
    """Samples, an array or a tensor, with the axes of one channel or one row that training adds, and with channels
    first, if that fits the network.
    """
    inner = samples.shape[lead:]
    missing = len(shape) - len(inner)
    if missing > 0 and shape == (1,) * missing + inner:
        return samples.reshape(*samples.shape[:lead], *shape)
    if len(inner) == len(shape) == 3 and inner != shape == (inner[2], *inner[:2]):
        return samples.movedim(-1, lead) if isinstance(samples, Tensor) else np.moveaxis(samples, -1, lead)
    return samples


def drives(data: Any, reading: Reading, order: Order = np.arange) -> Drives:
    """Turn a user's data into drives of a network.

    Args:
        data: a loader that yields batches (samples, labels), a data set, or a pair (x, y).
        reading: the way in which samples are read.
        order: the order of the samples of a data set or a pair.

    Returns:
        Batches of drives and labels, which can be gone through once for each epoch.

    Raises:
        UserError: the data are of another kind.
    """
    return Drives(data, reading, order)


def drive_of(samples: Any, labels: int, reading: Reading, draws: torch.Generator) -> Series:
    """Turn the samples of one batch into the drive of a network.

    Args:
        samples: numbers as `time_first` takes them; a list of arrays of events; or a `Series`, which is not changed.
        labels: the number of labels of the batch.
        reading: the way in which samples are read.
        draws: the generator of the encoder.

    Returns:
        A drive (T, B, *shape), or one of constant currents (B, *shape).

    Raises:
        UserError: the samples do not fit the network.
    """
    if isinstance(samples, Series):
        return samples
    if isinstance(samples, list | tuple):
        return _from_events(samples, reading, draws)
    encoder = reading.encoder
    series = time_first(samples, labels, reading.shape, reading.batch_first)
    kind = "images" if series.constant else "sequences"
    if encoder is None or kind not in encoder.accepts:
        return series
    rows = series.values if series.constant else series.values.transpose(0, 1)
    plain = rows if rows.dtype == torch.uint8 else rows.to(torch.float32)
    return encoder.encode(plain.cpu(), reading.steps if series.constant else rows.shape[1], draws)


def batch_of(learner: Any, spikes: Spikes, *, learning: bool) -> Spikes:
    """A single batch for a learner, read in the way in which `fit`, `evaluate` and `predict` read their batches.

    Args:
        learner: the `Learner` that is to run it.
        spikes: (T, B, *input) numbers or a `Series`, which are not changed; samples without an axis of time, (B,
            *input); or a list of arrays of events.
        learning: whether an encoder draws new numbers in each batch; otherwise it draws those with which `predict`
            begins.

    Returns:
        Samples without an axis of time, and events, as a `Series`; everything else unchanged and unchecked.

    Raises:
        UserError: the events do not fit the network.
    """
    shape = learner.model.network.input_shape
    events = isinstance(spikes, list) and bool(spikes) and _has_fields(spikes[0])
    if not events and (not isinstance(spikes, Tensor | np.ndarray) or spikes.ndim != 1 + len(shape)):
        return spikes
    seed = learner.seed + ENCODING
    if learning and learner.encoder is not None:
        seed = int(torch.randint(2**40, (), generator=learner.generator, device=learner.generator.device))
    encoder = learner.encoder if len(spikes) else None
    reading = Reading(shape, learner.steps, encoder, learner.seed, None, max(len(spikes), 1))
    return drive_of(spikes, len(spikes), reading, torch.Generator().manual_seed(seed))


def _has_fields(sample: Any) -> bool:
    return isinstance(sample, np.ndarray) and sample.dtype.names is not None


def _from_events(samples: Any, reading: Reading, draws: torch.Generator) -> Series:
    """Count events into frames in the way of training."""
    from neurorules.datasets._own.events import Gathering, on_sensor
    from neurorules.datasets._own.values import as_array, is_events
    from neurorules.encoders import open_encoder

    arrays = [as_array(sample, f"sample {number} of the batch") for number, sample in enumerate(samples)]
    if not arrays or not all(map(is_events, arrays)) or len(reading.shape) != 3:
        raise UserError(
            f"the samples of the batch are a {type(samples).__name__} and no arrays of events for a sensor of the "
            f"shape {reading.shape}. Give one tensor or array, or a list of arrays with the fields x, y, t, p"
        )
    gathering = Gathering()
    gathering.add(arrays, "the batch")
    polarities, height, width = reading.shape
    recordings = on_sensor(gathering.finish(), (polarities, height, width), "the batch")
    usual = open_encoder("frames", "events")
    encoder = reading.encoder if reading.encoder is not None and "events" in reading.encoder.accepts else usual
    frames = torch.from_numpy(np.array(encoder.prepare(recordings, reading.steps, None)))
    return encoder.encode(frames, reading.steps, draws)


def time_first(samples: Spikes, labels: int, shape: tuple[int, ...], batch_first: bool | None = None) -> Series:
    """Turn the samples of one batch into a drive whose first axis is time.

    Args:
        samples: (B, *shape), the same at each step; (T, B, *shape) or (B, T, *shape); or a `Series`, which is not
            changed.
        labels: number of labels of the batch, B.
        shape: the shape of one sample at one step.
        batch_first: whether the axis of the batch stands before that of time; None to infer it.

    Returns:
        A series with time first; constant where the samples have no axis of time.

    Raises:
        UserError: the numbers do not fit the network, or the order of the axes is ambiguous.
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
        raise UserError(
            f"samples have shape {tuple(values.shape)}, read as {order}, and there are {labels} labels. Give one each"
        )
    return Series(values.transpose(0, 1) if batch_first else values, False)


def _count(labels: Any) -> int:
    try:
        return len(labels)
    except TypeError:
        raise UserError(f"labels are a {type(labels).__name__}. Give class indices, (B,) whole numbers") from None
