"""Image data sets from the arrays of a user: shapes, number types and labels are checked here, for all file formats."""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np
from jaxtyping import Shaped

from neurorules.contracts.data_set import DataSet, content_checksum
from neurorules.language.errors import UserError

_log = logging.getLogger(__name__)

Channels = Literal["auto", "first", "last"]
QMNIST_COLUMNS = 8
"""Columns of a QMNIST label: class, NIST series, writer, index by writer, NIST class, index, and two spare ones.
Source: Yadav and Bottou 2019."""
MOST_CHANNELS = 4  # an axis this short is taken for the channels: grey, two polarities, RGB, RGBA


def as_images(array: np.ndarray, where: str, channels: Channels = "auto") -> Shaped[np.ndarray, "N C H W"]:
    """Bring an array to the form of images. uint8 stays, as grey levels; other number types become float32 unscaled.

    Args:
        array: (N, H, W) grey; (N, C, H, W) or (N, H, W, C); or (N, F) vectors, read as one row of F pixels.
        where: how an error names the array.
        channels: which axis of a 4-dimensional array holds the channels; "auto" takes the one of at most 4.

    Returns:
        Images (N, C, H, W), uint8 or float32.

    Raises:
        UserError: the array is empty, holds no numbers or numbers that are not finite, or has another shape.
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
    """Whether the last of four axes holds the channels.

    Raises:
        UserError: the shape leaves it open.
    """
    first, last = shape[1] <= MOST_CHANNELS, shape[3] <= MOST_CHANNELS
    if channels != "auto":
        return channels == "last"
    if first == last:
        raise UserError(
            f"{where}: the shape {shape} does not tell which axis holds the channels. "
            "Add :channels=first or :channels=last"
        )
    return last


def as_labels(array: np.ndarray, where: str, classes: int | None = None) -> Shaped[np.ndarray, "N"]:
    """Bring an array to the form of labels.

    Args:
        array: (N,) or a column (N, 1) of whole numbers, which may be stored as floats.
        where: how an error names the array.
        classes: number of classes, or None where it is not known yet.

    Returns:
        Labels (N,) int64.

    Raises:
        UserError: the array has another shape, or a label is not whole, negative, or not below `classes`.
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


def _class_column(array: Shaped[np.ndarray, "N columns"], where: str) -> Shaped[np.ndarray, "N"]:
    """Take the column that holds the classes out of a table of labels.

    Raises:
        UserError: there is more than one column, and they are not those of QMNIST.
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


def _from_zero(
    train: Shaped[np.ndarray, "N_train"], test: Shaped[np.ndarray, "N_test"], where: str, classes: int | None
) -> tuple[Shaped[np.ndarray, "N_train"], Shaped[np.ndarray, "N_test"]]:
    """Let labels that count the classes from 1 begin at 0, after a line that says so; others stay as they are.

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
    """Build a data set of images.

    Args:
        name: of the data set.
        arrays: images and labels by the keys x_train, y_train, x_test, y_test.
        where: how an error names each of them, by the same keys.
        classes: number of classes; None counts them from the training labels.
        channels: which axis holds the channels (see `as_images`).

    Returns:
        The data set, whose default encoder is "constant".

    Raises:
        UserError: see `as_images` and `as_labels`; or numbers of images and labels, or shapes of samples, that differ.
    """
    x = {part: as_images(arrays[f"x_{part}"], where[f"x_{part}"], channels) for part in ("train", "test")}
    y_train, y_test = (as_labels(arrays[key], where[key]) for key in ("y_train", "y_test"))
    y_train, y_test = _from_zero(y_train, y_test, where["y_train"], classes)
    class_count = count_classes(y_train, where["y_train"]) if classes is None else classes
    y = {"train": y_train, "test": y_test}
    for part, labels in y.items():
        as_labels(labels, where[f"y_{part}"], class_count)
    for part in ("train", "test"):
        check_counts(len(x[part]), where[f"x_{part}"], len(y[part]), where[f"y_{part}"])
    if x["train"].shape[1:] != x["test"].shape[1:] or x["train"].dtype != x["test"].dtype:
        kinds = " and ".join(f"{x[part].shape[1:]} {x[part].dtype}" for part in ("train", "test"))
        raise UserError(f"{where['x_test']}: training and test samples differ: {kinds}. Make them alike")
    _, channel_count, height, width = x["train"].shape
    return DataSet(
        name=name,
        kind="images",
        shape=(channel_count, height, width),
        classes=class_count,
        train=x["train"],
        train_labels=y["train"],
        test=x["test"],
        test_labels=y["test"],
        checksum=content_checksum(x["train"], y["train"], x["test"], y["test"]),
        default_encoder="constant",
    )


def count_classes(labels: Shaped[np.ndarray, "N"], where: str) -> int:
    """Count the classes by the largest training label. One line names classes without a sample.

    Args:
        labels: of the training samples, (N,), from 0.
        where: how an error names the labels.

    Returns:
        The number of classes, >= 2.

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
    """Refuse images and labels whose numbers differ.

    Args:
        images: number of images.
        where_images: how the error names them.
        labels: number of labels.
        where_labels: how the error names them.

    Raises:
        UserError: the numbers differ.
    """
    if images != labels:
        raise UserError(
            f"{where_images}: {images} samples, but {where_labels}: {labels} labels. Give one label for each sample"
        )
