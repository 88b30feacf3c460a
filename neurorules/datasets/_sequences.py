"""Samples that bring their own time steps, as arrays: brought to one form, (N, T, C, H, W), and checked."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from neurorules.language.errors import UserError

LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
CHUNK_BYTES = 1 << 26
"""Bytes looked at together, so that a mapped file is never read into memory whole."""


def as_sequences(
    array: Shaped[np.ndarray, "*any"], where: str, batch_first: bool = True
) -> Shaped[np.ndarray, "N T C H W"]:
    """Bring an array to the form of sequences. uint8 stays; other number types become float32; nothing is scaled.

    Args:
        array: (N, T, C, H, W); (N, T, H, W), one channel; or (N, T, F), read as one row of F pixels. With
            `batch_first=False` the first two axes stand the other way round.
        where: how an error names the array.
        batch_first: whether the axis of the samples stands before that of time.

    Returns:
        Sequences (N, T, C, H, W), uint8 or float32.

    Raises:
        UserError: the array is empty, holds no numbers or numbers that are not finite, or has another shape.
    """
    if array.dtype.kind not in "buif":
        raise UserError(f"{where}: holds {array.dtype}, not numbers. Save it as uint8 or float32")
    if array.size == 0:
        raise UserError(f"{where}: has the shape {array.shape}, and holds no number. Give at least one sample")
    if array.ndim not in (3, 4, 5):
        order = "N, T" if batch_first else "T, N"
        raise UserError(
            f"{where}: has the shape {array.shape}. Give ({order}, F), ({order}, H, W) or ({order}, C, H, W)"
        )
    if array.dtype != np.uint8:
        array = as_float32(array, where)
        check_finite(array, where)
    array = array if batch_first else np.swapaxes(array, 0, 1)
    axes = {3: (1, 1), 4: (1,), 5: ()}[array.ndim]
    return np.ascontiguousarray(array).reshape(*array.shape[:2], *axes, *array.shape[2:])


def as_float32(array: Shaped[np.ndarray, "*any"], where: str) -> Shaped[np.ndarray, "*any"]:
    """Numbers in float32; uint8 stays.

    Args:
        array: real numbers.
        where: how an error names them.

    Returns:
        The numbers, not copied where they are of that type.

    Raises:
        UserError: a finite number is too large for float32.
    """
    if array.dtype == np.uint8:
        return array
    try:
        with np.errstate(over="raise"):
            return array.astype(np.float32, copy=False)
    except FloatingPointError:
        raise UserError(
            f"{where}: a number is too large for float32, which ends at {LARGEST_FLOAT32:.4g}. Scale the numbers down"
        ) from None


def check_finite(array: Shaped[np.ndarray, "N *sample"], where: str) -> None:
    """Refuse samples that hold NaN or infinity.

    Raises:
        UserError: a sample does; the first one is named.
    """
    rows = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        part = array[start : start + rows]
        finite = np.isfinite(part)
        if not finite.all():
            bad = start + int(np.flatnonzero(~finite.reshape(len(part), -1).all(axis=1))[0])
            raise UserError(f"{where}: sample {bad} holds NaN or infinity. Remove or repair it")
