"""Data sets from the arrays of a user: shapes and number types are checked here, wherever the arrays come from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Shaped

from neurorules.contracts.data_set import DataSet, content_checksum
from neurorules.datasets._labels import check_counts
from neurorules.datasets._sequences import as_float32, as_sequences, check_finite
from neurorules.datasets._targets import targets_of
from neurorules.language.errors import UserError
from neurorules.language.settings import Task

Channels = Literal["auto", "first", "last"]
_log = logging.getLogger(__name__)
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
    if array.size == 0:
        raise UserError(f"{where}: has the shape {array.shape}, and holds no number. Give at least one sample")
    if array.ndim not in (2, 3, 4):
        raise UserError(f"{where}: has the shape {array.shape}. Give (N, H, W), (N, C, H, W), (N, H, W, C) or (N, F)")
    if array.dtype != np.uint8:
        array = as_float32(array, where)
        check_finite(array, where)
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
            "Add :channels=first or :channels=last; or, where an axis is time, :batch_first=true or :batch_first=false"
        )
    return last


def image_set(
    name: str,
    arrays: Mapping[str, np.ndarray],
    where: Mapping[str, str],
    classes: int | None = None,
    channels: Channels = "auto",
    task: Task | None = None,
) -> DataSet:
    """Build a data set of images.

    Args:
        name: the name of the data set.
        arrays: images and labels by the keys x_train, y_train, x_test, y_test.
        where: how an error names each of them, by the same keys.
        classes: number of classes; None counts them from the training labels.
        channels: which axis holds the channels (see `as_images`).
        task: what the targets are; None finds it (see `_targets`).

    Returns:
        The data set, whose default encoder is "constant".

    Raises:
        UserError: see `as_images` and `targets_of`; or numbers of images and labels, or shapes of samples, that differ.
    """
    x = {part: as_images(arrays[f"x_{part}"], where[f"x_{part}"], channels) for part in ("train", "test")}
    _doubt_images(arrays["x_train"].shape, x["train"].shape[1], where["x_train"])
    return _array_set(name, "images", x, arrays, where, classes, task)


def _doubt_images(shape: tuple[int, ...], channels: int, where: str) -> None:
    """Tell how samples are read whose first axis is more likely time than rows or channels of an image."""
    grey, many = len(shape) == 3 and shape[1] != shape[2], len(shape) == 4 and channels > MOST_CHANNELS
    if grey or many:
        words = f"grey images of {shape[1]} rows and {shape[2]} columns" if grey else f"images of {channels} channels"
        _log.warning(
            "%s: samples of the shape %s are read as %s. Where the first axis is time, say batch_first=True, behind a "
            "file :batch_first=true", where, shape[1:], words,
        )  # fmt: skip


def time_hint(shape: tuple[int, ...], labels: int) -> str:
    """The end of an error about numbers of samples and labels, where the second axis counts as many as the labels.

    Args:
        shape: the shape of all samples, as they were given.
        labels: their number.

    Returns:
        What to do about the first axis, or nothing.
    """
    if len(shape) < 3 or shape[0] == labels or shape[1] != labels:
        return ""
    return f"; the second axis of {shape} counts {labels}: where the first one is time, say batch_first=False"


def sequence_set(
    name: str,
    arrays: Mapping[str, np.ndarray],
    where: Mapping[str, str],
    batch_first: bool = True,
    classes: int | None = None,
    task: Task | None = None,
) -> DataSet:
    """Build a data set of samples that bring their own time steps.

    Args:
        name: the name of the data set.
        arrays: samples and labels by the keys x_train, y_train, x_test, y_test.
        where: how an error names each of them, by the same keys.
        batch_first: whether samples are (N, T, ...) or (T, N, ...).
        classes: number of classes; None counts them from the training labels.
        task: what the targets are; None finds it (see `_targets`).

    Returns:
        The data set, whose default encoder is "sequence".

    Raises:
        UserError: see `as_sequences` and `targets_of`; or numbers of samples and labels, or shapes, that differ.
    """
    x = {part: as_sequences(arrays[f"x_{part}"], where[f"x_{part}"], batch_first) for part in ("train", "test")}
    return _array_set(name, "sequences", x, arrays, where, classes, task)


def _array_set(
    name: str, kind: Literal["images", "sequences"], x: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray],
    where: Mapping[str, str], classes: int | None, task: Task | None,
) -> DataSet:  # fmt: skip
    steps = None if kind == "images" else x["train"].shape[1]
    targets = targets_of(arrays, where, classes, task, steps)
    y = targets.labels
    for part in ("train", "test"):
        hint = time_hint(arrays[f"x_{part}"].shape, len(y[part]))
        check_counts(len(x[part]), where[f"x_{part}"], len(y[part]), where[f"y_{part}"], hint)
    if x["train"].shape[1:] != x["test"].shape[1:] or x["train"].dtype != x["test"].dtype:
        kinds = " and ".join(f"{x[part].shape[1:]} {x[part].dtype}" for part in ("train", "test"))
        raise UserError(f"{where['x_test']}: training and test samples differ: {kinds}. Make them alike")
    channel_count, height, width = x["train"].shape[-3:]
    return DataSet(
        name=name,
        kind=kind,
        shape=(channel_count, height, width),
        classes=targets.outputs,
        train=x["train"],
        train_labels=y["train"],
        test=x["test"],
        test_labels=y["test"],
        checksum=content_checksum(x["train"], y["train"], x["test"], y["test"]),
        default_encoder="constant" if kind == "images" else "sequence",
        steps=steps or targets.steps,
        task=targets.task,
    )
