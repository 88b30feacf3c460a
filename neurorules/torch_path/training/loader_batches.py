"""The things that a user's loader yields: batches of samples and labels, or single samples, which are collected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError

if TYPE_CHECKING:
    from neurorules.datasets._own.batches import Batch

UNSTACKED = ("collate", "can't convert np.ndarray", "stack expects each tensor to be equal size")
"""Words in torch's message if its loader cannot stack samples."""
Keys = tuple[str, str] | None
"""The fields of sample and label in dicts, if the user names them."""


def things_of(loader: Any) -> Iterator[Any]:
    """Go through a loader; if a DataLoader cannot stack its samples, such as events, raise an error of one line.

    Raises:
        UserError: the loader cannot be gone through, or cannot stack its samples.
    """
    from neurorules.datasets._own.values import is_table

    if isinstance(loader, Tensor | np.ndarray) or not isinstance(loader, Iterable) or is_table(loader):
        raise UserError(
            f"the loader is a {type(loader).__name__}. Give something that yields batches (samples, labels), such as a "
            f"torch.utils.data.DataLoader, a data set, or a pair (x, y); or step() one batch"
        )
    try:
        yield from loader
    except (TypeError, RuntimeError) as error:
        usual = isinstance(loader, DataLoader) and loader.collate_fn is default_collate
        if usual and any(words in str(error) for words in UNSTACKED):
            reason = " ".join(str(error).split())
            raise UserError(
                f"the DataLoader cannot stack its samples ({reason:.120}). Give the data set itself, or a loader with "
                "a collate_fn that gives a list of arrays of events, or pads samples to one shape"
            ) from error
        raise


def batch_in(thing: Any, number: int, keys: Keys) -> tuple[Any, Any]:
    """The samples and labels of a batch.

    Args:
        thing: what the loader yields.
        number: the number of the batch, for errors.
        keys: the fields of a batch that is a dict.

    Returns:
        Samples and labels; tables and columns of other libraries as arrays.

    Raises:
        UserError: it is no batch.
    """
    from neurorules.datasets._own.fields import without_names
    from neurorules.datasets._own.values import without_table

    batch = without_names(thing, f"batch {number} of the loader", keys)
    if not isinstance(batch, list | tuple) or len(batch) != 2:
        what = f"{len(batch)} things" if isinstance(batch, list | tuple) else f"a {type(batch).__name__}"
        raise UserError(f"batch {number} of the loader is {what}. Let it yield (samples, labels)")
    samples, labels = (without_table(part, f"batch {number} of the loader") for part in batch)
    return samples, labels


def is_single_sample(thing: Any, keys: Keys) -> bool:
    """Whether the first thing of a loader is one sample with its label, as `train` reads it, and no batch.

    Args:
        thing: what the loader yields first.
        keys: the fields of samples that are dicts.

    Returns:
        True for one sample with its label.

    Raises:
        UserError: it is a dict whose fields do not say which is which.
    """
    from neurorules.datasets._own.fields import without_names
    from neurorules.datasets._own.values import is_single

    pair = without_names(thing, "batch 0 of the loader", keys)
    if not isinstance(pair, list | tuple) or len(pair) != 2 or isinstance(pair[0], Series):
        return False
    return is_single(*pair)


def collected(things: Iterator[Any], size: int, batch_first: bool | None, keys: Keys) -> Iterator[Batch]:
    """Collect single samples into batches, in the order in which they come.

    Args:
        things: each (sample, label).
        size: samples of a batch.
        batch_first: not None says that the first axis of a sample is time.
        keys: the fields of samples that are dicts.

    Yields:
        Batches; the last one may be smaller.

    Raises:
        UserError: one is no (sample, label), or samples differ in shape.
    """
    from neurorules.datasets._own.batches import collated

    first = 0
    while some := list(islice(things, size)):
        yield collated(some, first, "the data", batch_first, keys)
        first += len(some)


def length_of(loader: Any, size: int, keys: Keys) -> int:
    """The number of batches that a loader yields, or of what it yields where that cannot be told before.

    Args:
        loader: the user's loader.
        size: samples of a batch, where it yields single samples.
        keys: the fields of samples that are dicts.

    Returns:
        The number; 0 if the loader does not have one.
    """
    if isinstance(loader, list | tuple) and loader and is_single_sample(loader[0], keys):
        return -(-len(loader) // size)
    try:
        return len(loader)
    except TypeError:
        return 0
