"""The numbers that a user may pass: tensors and arrays of any real type, dense or sparse; labels also as lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.ranges import LARGEST

Spikes = Any
"""The drive of a network: a `Series`, or (T, B, *input) numbers as `to_series` reads them."""
Labels = Any
"""The targets of samples: class indices or one-hot rows, as `to_labels` reads them, or those of another task, as
`check_targets` does."""


def to_series(spikes: Spikes) -> Series:
    """The drive as a series of a dense tensor, on its present device.

    Raises:
        UserError: the drive does not consist of plain real numbers.
    """
    if isinstance(spikes, Series):
        return spikes._replace(values=to_tensor(spikes.values, "the input", "Give a Series of a tensor"))
    return Series(to_tensor(spikes, "the input", "Give a tensor or an array of shape (T, B, *input)"), False)


def to_labels(labels: Labels, samples: int, classes: int) -> Tensor:
    """The labels as a tensor. Class indices may be a list of whole numbers, a column (B, 1) or one-hot rows; whole
    numbers may be stored as floats, as in the labels of a data set.

    Args:
        labels: the user's labels.
        samples: number of samples B.
        classes: number of classes C.

    Returns:
        Class indices (B,), or the numbers themselves if they cannot be read as class indices.

    Raises:
        UserError: the labels are not plain real numbers.
    """
    advice = "Give class indices, (B,) whole numbers"
    if isinstance(labels, list | tuple):
        try:
            labels = np.asarray(labels)
        except (ValueError, TypeError, RuntimeError):
            raise UserError(f"labels are a {type(labels).__name__} of different things. {advice}") from None
    values = to_tensor(labels, "the labels", advice)
    if tuple(values.shape) == (samples, classes) and _is_one_hot(values):
        return values.to(torch.float64).argmax(1)
    values = values[:, 0] if tuple(values.shape) == (samples, 1) else values
    return values.to(torch.int64) if values.is_floating_point() and _is_whole(values) else values


def _is_whole(values: Tensor) -> bool:
    return bool(((values.frac() == 0) & (values.abs() <= LARGEST)).all())


def _is_one_hot(values: Tensor) -> bool:
    rows = values.to(torch.float64)
    return bool(((rows == 0) | (rows == 1)).all()) and bool((rows.sum(1) == 1).all())


def to_tensor(value: Any, what: str, advice: str) -> Tensor:
    """A dense tensor of real numbers.

    Args:
        value: a tensor or an array.
        what: the name of the value in messages.
        advice: the end of the message.

    Returns:
        The tensor, on its present device.

    Raises:
        UserError: `value` is no such tensor or array.
    """
    if isinstance(value, np.ndarray):
        return _from_array(value, what, advice)
    if not isinstance(value, Tensor):
        raise UserError(f"{what} must be a tensor or an array, and is a {type(value).__name__}. {advice}")
    kinds = {"a nested": value.is_nested, "a quantised": value.is_quantized, "a complex": value.is_complex()}
    kind = next((name for name, is_it in (kinds | {"an empty meta": value.is_meta}).items() if is_it), None)
    if kind is not None:
        raise UserError(f"{what} must be real numbers, and is {kind} tensor. {advice}")
    return value.detach() if value.layout == torch.strided else value.detach().to_dense()


def _from_array(array: np.ndarray, what: str, advice: str) -> Tensor:
    if isinstance(array, np.ma.MaskedArray):
        raise UserError(f"{what} must be plain numbers, and is a masked array. Fill what is masked: array.filled(0)")
    if array.dtype.names is not None:
        names = ", ".join(array.dtype.names)
        raise UserError(f"{what} must be plain numbers, and is an array of events ({names}). Make frames of them first")
    if array.dtype.kind not in "buif":
        raise UserError(f"{what} must be real numbers, and is an array of {array.dtype}. {advice}")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    # torch accepts neither views with negative strides, nor foreign byte order, nor read-only memory.
    native = array.astype(array.dtype.newbyteorder("="), order="C", copy=not array.flags.writeable)
    return torch.from_numpy(np.ascontiguousarray(native))
