"""One part of a user's data, training or test: all samples, their labels, and what the data set says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from neurorules.contracts.data_set import Recordings
from neurorules.datasets._own.batches import FORMS, Batch, batches_of, is_pair
from neurorules.datasets._own.events import Gathering
from neurorules.datasets._own.fields import LABELS, Keys
from neurorules.datasets._own.growing import Growing
from neurorules.datasets._sequences import as_float32
from neurorules.language.errors import UserError

DEEPEST = 16
"""Data sets inside each other, such as a subset of a cached data set, that are looked through for names and sensor."""


class PartSamples(NamedTuple):
    """All samples of one part, training or test, with their targets.

    Args:
        samples: (N, *sample), or recordings on the smallest sensor that holds them.
        labels: (N,) or (N, K), as they were given.
        timed: whether the first axis of a sample is time.
    """

    samples: np.ndarray | Recordings
    labels: np.ndarray
    timed: bool


@runtime_checkable
class HasSensor(Protocol):
    """A data set of tonic, which knows its sensor: columns, rows, polarities."""

    sensor_size: Any


@runtime_checkable
class HasClasses(Protocol):
    """A data set of torchvision or tonic, which knows the names of its classes."""

    classes: Any


@runtime_checkable
class HasFeatures(Protocol):
    """A data set of Hugging Face, whose label field knows the names of its classes."""

    features: Any


@runtime_checkable
class Wraps(Protocol):
    """A data set around another one, such as a subset, a cached or a sliced data set, or a loader."""

    dataset: Any


def part_samples(part: Any, where: str, batch_first: bool | None, keys: Keys = None) -> PartSamples:
    """Read all samples of a part, in the order in which they stand there.

    Args:
        part: a pair of arrays, a data set, a loader, or anything that yields samples or batches.
        where: how an error names it, such as "the training data".
        batch_first: whether samples with a time axis are (N, T, ...) or (T, N, ...).
        keys: the fields of samples that are dicts, where the user names them.

    Raises:
        UserError: it holds nothing, something that is no sample, or samples that differ in shape.
    """
    arrays, events, labels = Growing(), Gathering(), []
    first: Batch | None = None
    for number, batch in enumerate(batches_of(part, where, batch_first, keys)):
        first = first or batch
        _check_alike(batch, first, number, where)
        labels.append(batch.labels)
        if isinstance(batch.samples, list):
            events.add(batch.samples, where)
        else:
            arrays.add(as_float32(batch.samples, where))
    if first is None:
        raise UserError(f"{where} yield nothing. {FORMS}")
    samples = events.finish() if isinstance(first.samples, list) else arrays.finish(np.dtype(np.float32))
    return PartSamples(samples, np.concatenate(labels), first.timed)


def _check_alike(batch: Batch, first: Batch, number: int, where: str) -> None:
    """Refuse a batch that does not go with the first one.

    Raises:
        UserError: samples or labels have another shape, or are of another kind.
    """
    one, other = _form(batch), _form(first)
    if one != other:
        raise UserError(
            f"{where}: batch {number} holds {one}, and batch 0 holds {other}. Bring all samples to one shape, by "
            "padding or cropping all of them alike"
        )


def _form(batch: Batch) -> str:
    kind = "numbers" if batch.labels.dtype.kind in "buif" else "names"
    labels = f"labels ({', '.join(['N', *map(str, batch.labels.shape[1:])])}) of {kind}"
    if isinstance(batch.samples, list):
        return f"events and {labels}"
    type_ = "uint8" if batch.samples.dtype == np.uint8 else "numbers"
    return f"samples of the shape {batch.samples.shape[1:]} of {type_}, and {labels}"


def _layers(part: Any) -> Iterator[Any]:
    """A data set, the one inside it, and so on."""
    for _ in range(DEEPEST):
        if is_pair(part) or isinstance(part, Tensor | np.ndarray | list | tuple):
            return
        yield part
        if not isinstance(part, Wraps):
            return
        part = part.dataset


def sensor_of(part: Any) -> tuple[int, int, int] | None:
    """The sensor that a data set, or one inside it, says it has: (polarities, rows, columns); None where none does."""
    for layer in _layers(part):
        if isinstance(layer, HasSensor) and isinstance(layer.sensor_size, tuple) and len(layer.sensor_size) == 3:
            width, height, polarities = layer.sensor_size
            if all(isinstance(size, int) and size > 0 for size in layer.sensor_size):
                return polarities, height, width
    return None


def class_names_of(part: Any, keys: Keys = None) -> tuple[str, ...]:
    """The names of classes that a data set, or one inside it, says it has; empty where none does.

    Args:
        part: what the user gave.
        keys: the fields of samples that are dicts, where the user names them.

    Returns:
        The names, in the order of the classes.
    """
    words = LABELS if keys is None else (keys[1].lower(),)
    for layer in _layers(part):
        if isinstance(layer, HasClasses) and isinstance(layer.classes, list | tuple | np.ndarray):
            return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in layer.classes)
        if isinstance(layer, HasFeatures) and isinstance(layer.features, Mapping):
            fields = [one for name, one in layer.features.items() if str(name).lower() in words]
            names = getattr(fields[0], "names", None) if len(fields) == 1 else None
            return tuple(map(str, names)) if isinstance(names, list | tuple) else ()
    return ()


def described(part: Any) -> str:
    """Describe what a part was, in a few words, such as "a pair of a Tensor (300, 1, 8, 8) and a Tensor (300,)"."""
    if is_pair(part):
        return " and ".join(_named(one) for one in part)
    kinds = [f"{type(layer).__module__.partition('.')[0]}.{type(layer).__qualname__}" for layer in _layers(part)]
    return " of ".join(kinds) or f"a {type(part).__name__}"


def _named(one: Any) -> str:
    shape = f"({len(one)})" if isinstance(one, list | tuple | range) else tuple(one.shape)
    return f"{type(one).__name__} {shape}"
