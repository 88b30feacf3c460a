"""Single samples and labels of a user as arrays: tensors, pictures, event arrays, numbers, names, and tables."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from neurorules.language.errors import UserError

COLOURED = ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV")
"""Modes of Pillow whose numbers are no brightness of red, green and blue."""


@runtime_checkable
class AsArray(Protocol):
    """Something that NumPy reads as an array, such as a column or a table of pandas, or a data set of h5py."""

    def __array__(self, *options: Any, **named: Any) -> Any: ...


@runtime_checkable
class Sparse(Protocol):
    """A sparse matrix of SciPy, which NumPy does not read by itself."""

    nnz: Any

    def toarray(self) -> Any: ...


def is_table(value: Any) -> bool:
    """Whether a value holds many numbers and is neither a tensor, nor an array, nor a picture, nor a list."""
    usual = (Tensor, np.ndarray, np.generic, Image.Image, list, tuple, str, bytes, dict)
    return not isinstance(value, usual) and isinstance(value, range | AsArray | Sparse)


def without_table(value: Any, where: str) -> Any:
    """A table, a column, a sparse matrix or a range as an array, and any other value as it is.

    Args:
        value: what the user gives.
        where: how an error names it.

    Raises:
        UserError: NumPy cannot read it.
    """
    if not is_table(value):
        return value
    try:
        return value.toarray() if isinstance(value, Sparse) else np.asarray(value)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{where} is a {type(value).__name__} that NumPy cannot read ({reason:.200})") from error


def as_array(value: Any, where: str) -> np.ndarray:
    """One sample, or many in one array, as numbers or as a structured array of events.

    Args:
        value: a tensor, an array, a picture of Pillow, a number, nested lists of numbers, or a table (`is_table`).
        where: how an error names it.

    Returns:
        An array of a boolean, whole or floating type, or a structured one.

    Raises:
        UserError: it holds neither numbers nor events.
    """
    kind, value = type(value).__name__, without_table(value, where)
    if isinstance(value, np.ndarray) and value.dtype.kind == "O" and kind != "ndarray":
        raise UserError(f"{where} is a {kind} that holds other things than numbers. Give columns of numbers alone")
    if isinstance(value, Tensor):
        return _from_tensor(value, where)
    if isinstance(value, np.ma.MaskedArray):
        raise UserError(f"{where} is a masked array. Fill what is masked: array.filled(0)")
    if isinstance(value, dict):
        keys = ", ".join(map(str, list(value)[:6]))
        raise UserError(f"{where} is a dict of {keys}. Let the data set give (sample, label), one array and one class")
    if not isinstance(value, np.ndarray | np.generic | Image.Image | list | tuple | int | float):
        raise UserError(f"{where} is a {type(value).__name__}. Give a tensor, an array or an array of events")
    if isinstance(value, Image.Image) and value.mode in COLOURED:
        value = value.convert("RGB")  # the numbers of a palette, for one, are names of colours and no brightness
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError):
        raise UserError(f"{where} is a {type(value).__name__} of unequal parts. Give one tensor or array") from None
    if array.dtype.names is None and array.dtype.kind == "O":
        raise UserError(
            f"{where} is an array of objects. Give a list of event arrays, or numbers of one shape: "
            "numpy.stack(list(array)), after padding samples of different lengths to one length"
        )
    if array.dtype.names is None and array.dtype.kind not in "buif":
        raise UserError(f"{where} holds {array.dtype}, not numbers. Give numbers, or events with the fields x, y, t, p")
    return array


def _from_tensor(value: Tensor, where: str) -> np.ndarray:
    kinds = {"nested": value.is_nested, "quantised": value.is_quantized, "complex": value.is_complex()}
    kind = next((name for name, is_it in (kinds | {"meta": value.is_meta}).items() if is_it), None)
    if kind is not None:
        raise UserError(f"{where} is a {kind} tensor, and holds no plain real numbers. Give a plain tensor")
    dense = value.detach() if value.layout == torch.strided else value.detach().to_dense()
    dense = dense.cpu()
    plain = dense.float() if dense.dtype == torch.bfloat16 else dense
    return plain.resolve_neg().numpy()


def is_events(array: np.ndarray) -> bool:
    """Whether an array is a structured one, as tonic gives events."""
    return array.dtype.names is not None


def is_many(value: Any) -> bool:
    """Whether a value is a list, a tuple, or an array of objects: one Python object for each sample."""
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object)


def as_label_array(values: Any, where: str) -> np.ndarray:
    """Labels as one array, (N,) or (N, K), of numbers or of names.

    Args:
        values: a tensor, an array, a column of a table, or a list of numbers, names, tensors or arrays.
        where: how an error names them.

    Raises:
        UserError: they are no numbers and no names, some are names and others not, or they differ in shape.
    """
    values = without_table(values, where)
    if isinstance(values, Tensor):
        return _from_tensor(values, where)
    if is_many(values):
        values = [_from_tensor(one, where) if isinstance(one, Tensor) else one for one in values]
        _check_names(values, where)
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError):
        raise UserError(f"{where} are of different shapes. Give one class for each sample") from None
    if array.dtype.kind not in "buifU":
        what = type(values[0]).__name__ if is_many(values) and len(values) else str(array.dtype)
        raise UserError(f"{where} are {what}, neither numbers nor names. Give one class for each sample")
    return array


def _check_names(labels: list[Any], where: str) -> None:
    """Refuse a label that is missing, or that is no name where another label is one.

    Raises:
        UserError: there is one; the first is shown.
    """
    named = [isinstance(one, str) or (isinstance(one, np.ndarray) and one.dtype.kind == "U") for one in labels]
    wrong = next((n for n, one in enumerate(labels) if one is None or (any(named) and not named[n])), None)
    if wrong is not None:
        others = "names" if any(named) else "numbers"
        raise UserError(
            f"{where}: label {wrong} is {labels[wrong]!r:.40}, and others are {others}. Give every sample one of them, "
            f"or leave samples without a label out"
        )


def is_scalar(label: Any) -> bool:
    """Whether a label is that of one sample: a number, a name, or an array without axes."""
    if isinstance(label, Tensor | np.ndarray | np.generic):
        return label.ndim == 0
    return isinstance(label, int | float | str)


def is_single(sample: Any, label: Any) -> bool:
    """Whether something is one sample with its label, and not a batch of both.

    Args:
        sample: a sample, or several.
        label: a number, a name, or an array without axes; or one sample's target of several values.

    Returns:
        True for one sample: also where the target is a vector of values whose length counts no axis of the sample.
    """
    if is_scalar(label) or not isinstance(label, Tensor | np.ndarray):
        return is_scalar(label)
    values = label.is_floating_point() if isinstance(label, Tensor) else label.dtype.kind == "f"
    axes = sample.shape[:2] if isinstance(sample, Tensor | np.ndarray) else (len(sample),) if is_many(sample) else ()
    return values and len(label) not in axes
