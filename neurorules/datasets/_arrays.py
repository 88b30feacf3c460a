"""From a user's arrays to an image data set: shapes, number types and labels are checked here, once for all formats."""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np

from neurorules.contracts.data_set import DataSet, content_checksum
from neurorules.language.errors import UserError

_log = logging.getLogger(__name__)

Channels = Literal["auto", "first", "last"]
QMNIST_COLUMNS = 8
"""Class, NIST series, writer, index by writer, NIST class, index, two spare ones. Source: Yadav and Bottou 2019."""
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
    if array.dtype.kind not in "buif":
        raise UserError(f"{where}: labels are not whole numbers. Number the classes 0, 1, 2, ...")
    if array.ndim == 2 and array.size:
        array = _class_column(array, where)
    if array.ndim != 1 or array.size == 0:
        raise UserError(f"{where}: labels have the shape {array.shape}, not (N,). Give one whole number a sample")
    if not np.isfinite(array).all() or (array.dtype.kind == "f" and not np.array_equal(array, np.floor(array))):
        raise UserError(f"{where}: labels are not whole numbers. Number the classes 0, 1, 2, ...")
    low, high = int(array.min()), int(array.max())
    if low < 0 or (classes is not None and high >= classes) or high >= 2**31:
        bad = low if low < 0 else high
        legal = f"0..{classes - 1}" if classes is not None else "0, 1, 2, ..."
        raise UserError(f"{where}: label {bad} is out of range. Labels must be {legal}")
    return array.astype(np.int64)


def _class_column(array: np.ndarray, where: str) -> np.ndarray:
    """The column (N,) of a table of labels that holds the classes.

    Raises:
        UserError: there is more than one column, and they are not QMNIST's.
    """
    if array.shape[1] == 1:
        return array[:, 0]
    if np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all():
        hint = "These are one-hot rows: turn them into numbers with argmax(axis=1)"
    elif array.shape[1] == QMNIST_COLUMNS and array.dtype.kind in "ui":
        _log.warning("%s: labels have QMNIST's %d columns; the first one, the class, is read", where, QMNIST_COLUMNS)
        return array[:, 0]
    else:
        hint = "Give one whole number a sample, such as one column of these"
    raise UserError(f"{where}: labels have the shape {array.shape}, not (N,). {hint}")


def _from_zero(train: np.ndarray, test: np.ndarray, where: str, classes: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Training and test labels that begin at 0; those that count the classes from 1 are moved, and a line says so.

    Labels are moved where the training labels are exactly 1 .. C, the test labels lie among them, and the number of
    classes is C or left open.
    """
    high = int(train.max())
    from_one = high > 1 and np.array_equal(np.unique(train), np.arange(1, high + 1))
    if not (from_one and int(test.min()) >= 1 and int(test.max()) <= high and classes in (None, high)):
        return train, test
    _log.warning("%s: labels run from 1 to %d, and are read as classes 0 to %d", where, high, high - 1)
    return train - 1, test - 1


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
    y_train, y_test = (as_labels(arrays[key], where[key]) for key in ("y_train", "y_test"))
    y_train, y_test = _from_zero(y_train, y_test, where["y_train"], classes)
    known = count_classes(y_train, where["y_train"]) if classes is None else classes
    y = {"train": y_train, "test": y_test}
    for part, labels in y.items():
        as_labels(labels, where[f"y_{part}"], known)
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


def count_classes(labels: np.ndarray, where: str) -> int:
    """How many classes training labels (N,) number; one line says which of them have no sample.

    Raises:
        UserError: more classes than samples, or one class alone.
    """
    classes = int(labels.max()) + 1
    if classes > len(labels):  # most likely no class numbers at all
        raise UserError(f"{where}: {classes} classes for only {len(labels)} samples. Number the classes 0, 1, 2, ...")
    if classes == 1:
        raise UserError(f"{where}: all labels are 0, and one class leaves nothing to tell apart. Give two or more")
    missing = np.setdiff1d(np.arange(classes), labels)
    if missing.size:
        named = ", ".join(map(str, missing[:5])) + (", ..." if missing.size > 5 else "")
        _log.warning("%s: %d of %d classes have no sample: %s", where, missing.size, classes, named)
    return classes


def check_counts(images: int, where_images: str, labels: int, where_labels: str) -> None:
    """Refuse image and label counts that differ."""
    if images != labels:
        raise UserError(
            f"{where_images}: {images} samples, but {where_labels}: {labels} labels. Give one label for each sample"
        )
