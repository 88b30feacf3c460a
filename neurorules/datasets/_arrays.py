"""From a user's arrays to an image data set: shapes, number types and labels are checked here, once for all formats."""

from __future__ import annotations

from typing import Literal

import numpy as np

from neurorules.datasets._shared import DataSet, content_checksum
from neurorules.language.errors import UserError

Channels = Literal["auto", "first", "last"]
MOST_CHANNELS = 4  # an axis this short is taken for the channels: grey, two polarities, RGB, RGBA


def as_images(array: np.ndarray, where: str, channels: Channels = "auto") -> np.ndarray:
    """Images (N, C, H, W): uint8 stays (grey levels, 255 = full); every other number type becomes float32 as it stands.

    Args:
        array: (N, H, W) grey; (N, C, H, W) or (N, H, W, C); or (N, F) vectors, read as one row of F pixels.
        where: how an error names the array.
        channels: which axis of a 4-dimensional array holds the channels; "auto" takes the one of at most 4.

    Raises:
        UserError: empty, no numbers, not finite, or another shape.
    """
    if array.dtype.kind not in "buif":
        raise UserError(f"{where}: holds {array.dtype}, not numbers. Save it as uint8 or float32")
    if array.ndim not in (2, 3, 4) or array.size == 0:
        raise UserError(f"{where}: has the shape {array.shape}. Give (N, H, W), (N, C, H, W), (N, H, W, C) or (N, F)")
    if array.dtype != np.uint8:
        with np.errstate(over="ignore"):  # beyond float32: caught as not finite just below
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            bad = int(np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))[0])
            raise UserError(f"{where}: sample {bad} holds NaN or infinity. Remove or repair it")
    if array.ndim == 2:
        array = array[:, None, None, :]
    elif array.ndim == 3:
        array = array[:, None]
    elif _channels_last(array.shape, where, channels):
        array = np.moveaxis(array, 3, 1)
    return np.ascontiguousarray(array)


def _channels_last(shape: tuple[int, ...], where: str, channels: Channels) -> bool:
    first, last = shape[1] <= MOST_CHANNELS, shape[3] <= MOST_CHANNELS
    if channels != "auto":
        return channels == "last"
    if first == last:
        raise UserError(
            f"{where}: the shape {shape} does not tell which axis holds the channels. "
            "Add :channels=first or :channels=last"
        )
    return last


def as_labels(array: np.ndarray, where: str, classes: int | None = None) -> np.ndarray:
    """Labels (N,) int64; a column (N, 1) and whole floats are accepted.

    Raises:
        UserError: another shape, not whole, negative, or not below `classes`.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.size == 0:
        one_hot = array.ndim == 2 and array.size
        hint = "Turn one-hot rows into numbers with argmax(axis=1)" if one_hot else "Give one whole number a sample"
        raise UserError(f"{where}: labels have the shape {array.shape}, not (N,). {hint}")
    if array.dtype.kind not in "buif" or not np.array_equal(array, np.floor(array)):
        raise UserError(f"{where}: labels are not whole numbers. Number the classes 0, 1, 2, ...")
    low, high = array.min(), array.max()
    if low < 0 or (classes is not None and high >= classes) or high >= 2**31:
        bad = low if low < 0 else high
        legal = f"0..{classes - 1}" if classes is not None else "0, 1, 2, ..."
        raise UserError(f"{where}: label {int(bad)} is out of range. Labels must be {legal}")
    return array.astype(np.int64)


def image_set(
    name: str,
    arrays: dict[str, np.ndarray],
    where: dict[str, str],
    classes: int | None = None,
    channels: Channels = "auto",
) -> DataSet:
    """The data set made of the four arrays x_train, y_train, x_test, y_test.

    Args:
        name: the data set's name.
        arrays: the four, by those keys.
        where: how errors name each, by the same keys.
        classes: number of classes; None counts them from the training labels.
        channels: see `as_images`.

    Raises:
        UserError: see `as_images` and `as_labels`; counts or sample shapes that differ.
    """
    x = {part: as_images(arrays[f"x_{part}"], where[f"x_{part}"], channels) for part in ("train", "test")}
    y_train = as_labels(arrays["y_train"], where["y_train"], classes)
    known = int(y_train.max()) + 1 if classes is None else classes
    if classes is None and known > len(y_train):  # most likely no class numbers at all
        raise UserError(
            f"{where['y_train']}: {known} classes for only {len(y_train)} samples. Number the classes 0, 1, 2, ..."
        )
    y = {"train": y_train, "test": as_labels(arrays["y_test"], where["y_test"], known)}
    for part in ("train", "test"):
        check_counts(len(x[part]), where[f"x_{part}"], len(y[part]), where[f"y_{part}"])
    if x["train"].shape[1:] != x["test"].shape[1:] or x["train"].dtype != x["test"].dtype:
        found = " and ".join(f"{x[part].shape[1:]} {x[part].dtype}" for part in ("train", "test"))
        raise UserError(f"{where['x_test']}: training and test samples differ: {found}. Make them alike")
    _, channel_count, height, width = x["train"].shape
    return DataSet(
        name=name,
        kind="images",
        shape=(channel_count, height, width),
        classes=known,
        train=x["train"],
        train_labels=y["train"],
        test=x["test"],
        test_labels=y["test"],
        checksum=content_checksum(x["train"], y["train"], x["test"], y["test"]),
        default_encoder="constant",
    )


def check_counts(images: int, where_images: str, labels: int, where_labels: str) -> None:
    """Refuse image and label counts that differ."""
    if images != labels:
        raise UserError(
            f"{where_images}: {images} samples, but {where_labels}: {labels} labels. Give one label for each sample"
        )
