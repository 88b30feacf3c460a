"""A user's data, part by part, as batches of one form: pairs of arrays, torch and tonic data sets, loaders, lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from neurorules.datasets._arrays import time_hint
from neurorules.datasets._own.fields import Keys, without_names
from neurorules.datasets._own.from_user_code import guarded, read_one
from neurorules.datasets._own.loaders import in_own_order
from neurorules.datasets._own.values import as_array, as_label_array, is_events, is_many, is_scalar, is_single, is_table
from neurorules.language.errors import UserError

AT_ONCE = 256
"""Samples that are read together from a data set that gives one at a time."""
FORMS = (
    "Give a pair (x, y) of arrays or tensors, a Dataset of torch or tonic, a DataLoader, or anything that yields "
    "(sample, label) or (samples, labels)"
)


class Batch(NamedTuple):
    """Some samples and their labels.

    Args:
        samples: (B, *sample) numbers, or B structured arrays of events.
        labels: (B,) or (B, K).
        timed: whether the first axis of a sample is time.
    """

    samples: np.ndarray | list[np.ndarray]
    labels: np.ndarray
    timed: bool


@runtime_checkable
class MapStyle(Protocol):
    """A data set that has a length and gives sample i, as map-style data sets of torch and those of tonic do."""

    def __getitem__(self, index: int) -> Any: ...

    def __len__(self) -> int: ...


class Indexed(NamedTuple):
    """Samples that can be fetched in any order.

    Args:
        length: number of samples.
        fetch: gives the samples at some places.
    """

    length: int
    fetch: Callable[[Sequence[int] | np.ndarray], Batch]


def indexed(part: Any, where: str, batch_first: bool | None, keys: Keys = None) -> Indexed | None:
    """The samples of a pair or of a map-style data set; None for what can only be gone through.

    Args:
        part: what the user gave.
        where: how an error names it, such as "the training data".
        batch_first: whether samples with a time axis are (N, T, ...) or (T, N, ...); None for images and events, and
            where it can be told.
        keys: the fields of samples that are dicts, where the user names them.

    Raises:
        UserError: samples and labels of a pair do not fit each other, or there is none.
    """
    if is_pair(part):
        if keys is not None:
            raise UserError(f"keys={keys} name fields of dicts, and {where} are a pair (x, y). Leave keys out")
        x, y = part
        whole = _of_pair(x, y, where, batch_first)
        samples, labels, timed = whole

        def rows(places: Sequence[int] | np.ndarray) -> Batch:
            chosen = samples[places] if isinstance(samples, np.ndarray) else [samples[place] for place in places]
            return Batch(chosen, labels[places], timed)

        return Indexed(len(labels), rows)
    if not is_map_style(part):
        return None
    count = len(part)
    if not count:
        raise UserError(f"{where} hold no sample: the {type(part).__name__} is empty")

    def read(places: Sequence[int] | np.ndarray) -> Batch:
        samples = [read_one(part, int(place), where) for place in places]
        return collated(samples, int(places[0]), where, batch_first, keys)

    return Indexed(count, read)


def is_pair(part: Any) -> bool:
    """Whether something is samples and labels, (x, y), rather than several samples or batches."""
    if not isinstance(part, list | tuple) or len(part) != 2:
        return False
    x, y = part
    whole = isinstance(x, Tensor | np.ndarray) or is_table(x)
    if not (whole or is_many(x)) or isinstance(x, tuple):
        return False
    if isinstance(y, Tensor | np.ndarray) or is_table(y):
        return True
    if whole and isinstance(y, list):
        return True
    return isinstance(y, list | tuple) and all(map(is_scalar, y))


def is_map_style(part: Any) -> bool:
    """Whether something is a map-style data set, and not merely a container of Python, torch or NumPy."""
    plain = (list, tuple, dict, str, bytes, Tensor, np.ndarray, DataLoader, IterableDataset)
    return isinstance(part, MapStyle) and not isinstance(part, plain) and not is_table(part)


def batches_of(part: Any, where: str, batch_first: bool | None = None, keys: Keys = None) -> Iterator[Batch]:
    """All samples of one part in the order in which they stand there.

    Args:
        part: as `FORMS` says.
        where: how an error names it.
        batch_first, keys: as in `indexed`.

    Raises:
        UserError: it is nothing of that kind, or something in it is not.
    """
    part = in_own_order(part, where) if isinstance(part, DataLoader) else part
    places = indexed(part, where, batch_first, keys)
    if places is not None:
        if is_pair(part):
            yield places.fetch(range(places.length))
            return
        for start in range(0, places.length, AT_ONCE):
            yield places.fetch(range(start, min(start + AT_ONCE, places.length)))
    elif isinstance(part, Tensor | np.ndarray | str | bytes | dict) or not isinstance(part, Iterable) or is_table(part):
        raise UserError(f"{where} are a {type(part).__name__} alone. {FORMS}")
    else:
        yield from _of_iterable(part, where, batch_first, keys)


def _of_iterable(part: Iterable[Any], where: str, batch_first: bool | None, keys: Keys) -> Iterator[Batch]:
    """Single samples or whole batches, whichever the first thing is."""
    whole = isinstance(part, DataLoader) and part.batch_size is not None
    things = guarded(iter(part), where)
    first = next(things, None)
    if first is None:
        return
    whole = whole or not is_single(*_two(first, f"{where}: the first thing", keys))
    single: list[Any] = []
    for number, thing in enumerate(chain([first], things)):
        if whole:
            name = f"{where}, batch {number}"
            x, y = _two(thing, name, keys)
            yield _of_pair(x, y, name, batch_first)
            continue
        single.append(thing)
        if len(single) == AT_ONCE:
            yield collated(single, number + 1 - AT_ONCE, where, batch_first, keys)
            single = []
    if single:
        yield collated(single, number + 1 - len(single), where, batch_first, keys)


def collated(things: Sequence[Any], first: int, where: str, batch_first: bool | None, keys: Keys) -> Batch:
    """A batch of single samples.

    Args:
        things: each (sample, label).
        first: the place of the first of them, for errors.
        where: how an error names the part.
        batch_first: not None says that the first axis of a sample is time.
        keys: as in `indexed`.

    Raises:
        UserError: one is no (sample, label), or samples differ in shape.
    """
    pairs = [_two(thing, f"{where}, sample {first + n}", keys) for n, thing in enumerate(things)]
    labels = as_label_array([label for _, label in pairs], f"{where}, the labels")
    arrays = [as_array(sample, f"{where}, sample {first + n}") for n, (sample, _) in enumerate(pairs)]
    return _stacked(arrays, labels, first, where, batch_first)


def _stacked(
    arrays: list[np.ndarray], labels: np.ndarray, first: int, where: str, batch_first: bool | None
) -> Batch:  # fmt: skip
    events = is_events(arrays[0])
    for number, array in enumerate(arrays):
        if is_events(array) != events or (not events and array.shape != arrays[0].shape):
            raise UserError(
                f"{where}: sample {first + number} {_words(array)}, and sample {first} {_words(arrays[0])}. "
                "Bring all samples to one shape, by padding or cropping, or give events"
            )
        if not events and (array.dtype == np.uint8) != (arrays[0].dtype == np.uint8):
            raise UserError(
                f"{where}: sample {first + number} is of {array.dtype}, and sample {first} of {arrays[0].dtype}: uint8 "
                "are grey levels, 255 = full, and other numbers stay as they are. Give all samples in one type"
            )
    if events:
        return Batch(arrays, labels, False)
    return Batch(np.stack(arrays), labels, arrays[0].ndim == 4 or batch_first is not None)


def _words(array: np.ndarray) -> str:
    return "is an array of events" if is_events(array) else f"has the shape {array.shape}"


def _of_pair(x: Any, y: Any, where: str, batch_first: bool | None) -> Batch:
    """Samples and labels that were given together, samples first."""
    labels = as_label_array(y, f"{where}, the labels")
    if labels.ndim == 0:
        raise UserError(f"{where}: the labels are one {type(y).__name__}. Give one class for each sample")
    if is_many(x):
        if len(x) != len(labels):
            raise UserError(f"{where}: {len(x)} samples, but {len(labels)} labels. Give one label for each sample")
        _not_empty(len(labels), where)
        arrays = [as_array(sample, f"{where}, sample {number}") for number, sample in enumerate(x)]
        return _stacked(arrays, labels, 0, where, batch_first)
    array = as_array(x, f"{where}, the samples")
    if is_events(array):
        raise UserError(f"{where}: the samples are one array of events. Give a list with one array for each sample")
    if not array.ndim:
        raise UserError(f"{where}: the samples are one number. Give an array with one row for each sample")
    axis, timed = _axis_of_samples(array.shape, len(labels), batch_first, where)
    if array.shape[axis] != len(labels):
        read = "" if not timed else f" (read as {'(N, T, ...)' if axis == 0 else '(T, N, ...)'})"
        raise UserError(
            f"{where}: {array.shape[axis]} samples in the shape {array.shape}{read}, but {len(labels)} labels. "
            f"Give one label for each sample{_order(labels.shape, array.shape[axis])}"
            f"{time_hint(array.shape, len(labels))}"
        )
    _not_empty(len(labels), where)
    return Batch(np.swapaxes(array, 0, 1) if axis else array, labels, timed)


def _order(labels: tuple[int, ...], samples: int) -> str:
    """A hint for targets of each step that stand the other way round."""
    turned = len(labels) > 1 and labels[1] == samples
    return f"; targets of the shape {labels} have time first, and samples stand first in them" if turned else ""


def _axis_of_samples(shape: tuple[int, ...], labels: int, batch_first: bool | None, where: str) -> tuple[int, bool]:
    """Say which axis counts the samples, and whether there is one of time.

    Raises:
        UserError: either of two axes could be time, or there is none where the user says that there is.
    """
    if batch_first is not None:
        if len(shape) < 3:
            raise UserError(
                f"{where}: the samples have the shape {shape}, and batch_first={batch_first} says that they have a "
                "time axis beside that of the samples. Leave batch_first out, or add the axis"
            )
        return int(not batch_first), True
    if len(shape) != 5:
        return 0, False
    fits = [shape[0] == labels, shape[1] == labels]
    if all(fits):
        raise UserError(
            f"{where}: the samples have the shape {shape}, and there are {labels} labels: either axis could be time. "
            "Say which with batch_first=True, (N, T, ...), or batch_first=False, (T, N, ...)"
        )
    return int(fits[1]), True


def _not_empty(count: int, where: str) -> None:
    if not count:
        raise UserError(f"{where} hold no sample. Give at least one")


def _two(thing: Any, where: str, keys: Keys) -> tuple[Any, Any]:
    thing = without_names(thing, where, keys)
    if not isinstance(thing, list | tuple) or len(thing) != 2:
        what = f"{len(thing)} things" if isinstance(thing, list | tuple) else f"a {type(thing).__name__}"
        raise UserError(f"{where} is {what}. Let it be (sample, label)")
    return thing[0], thing[1]
