"""Labels from the arrays of a user: class numbers, counted from 0 or 1, one-hot rows, names; and how many classes."""

from __future__ import annotations

import logging

import numpy as np
from jaxtyping import Shaped

from neurorules.language.errors import UserError

_log = logging.getLogger(__name__)

QMNIST_COLUMNS = 8
"""Columns of a QMNIST label: class, NIST series, writer, index by writer, NIST class, index, and two spare ones.
Source: Yadav and Bottou 2019."""


def as_labels(array: np.ndarray, where: str, classes: int | None = None) -> Shaped[np.ndarray, "N"]:
    """Bring an array to the form of labels.

    Args:
        array: (N,) or a column (N, 1) of whole numbers, which may be stored as floats; or one-hot rows (N, classes),
            which one line says.
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
        raise UserError(
            f"{where}: labels are not whole numbers, and are to be classes. Number these 0, 1, 2, ..., or say "
            "task='regression' for values"
        )
    low, high = int(array.min()), int(array.max())
    if low < 0 or (classes is not None and high >= classes) or high >= 2**31:
        bad = low if low < 0 else high
        legal = f"0..{classes - 1}" if classes is not None else "0, 1, 2, ..."
        raise UserError(f"{where}: label {bad} is out of range. Labels must be {legal}")
    return array.astype(np.int64)


def _class_column(array: Shaped[np.ndarray, "N columns"], where: str) -> Shaped[np.ndarray, "N"]:
    """Take the column that holds the classes out of a table of labels.

    Raises:
        UserError: there is more than one column, and they are neither one-hot nor those of QMNIST.
    """
    if array.shape[1] == 1:
        return array[:, 0]
    hint = "Give one whole number a sample, such as one column of these"
    if np.isin(array, (0, 1)).all():
        if (array.sum(axis=1) == 1).all():
            _log.warning(
                "%s: labels are one-hot rows, and are read as class numbers 0 to %d", where, array.shape[1] - 1
            )
            return array.argmax(axis=1)
        hint = "Rows with several ones, or none, are labels of several classes at once: say task='multilabel'"
    elif array.shape[1] == QMNIST_COLUMNS and array.dtype.kind in "ui":
        _log.warning("%s: labels have QMNIST's %d columns; the first one, the class, is read", where, QMNIST_COLUMNS)
        return array[:, 0]
    raise UserError(f"{where}: labels have the shape {array.shape}, not (N,). {hint}")


def from_zero(
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


def check_tested(train: Shaped[np.ndarray, "N_train"], test: Shaped[np.ndarray, "N_test"], where: str) -> None:
    """Refuse test labels that no training sample has: what was never learned cannot be tested.

    Args:
        train: labels of the training samples, (N,) int64.
        test: labels of the test samples.
        where: how an error names the test labels.

    Raises:
        UserError: there is such a label; it is named.
    """
    new = np.setdiff1d(test, train)
    if new.size:
        named = ", ".join(map(str, new[:5])) + (", ..." if new.size > 5 else "")
        raise UserError(
            f"{where}: no training sample has the class {named}. Split the samples so that training holds every class, "
            "or leave these test samples out"
        )


def count_classes(labels: Shaped[np.ndarray, "N"], where: str) -> int:
    """Count the classes by the largest training label. One line names classes without a sample.

    Args:
        labels: the labels of the training samples, (N,), from 0.
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


def check_counts(images: int, where_images: str, labels: int, where_labels: str, hint: str = "") -> None:
    """Refuse images and labels whose numbers differ.

    Args:
        images: number of images.
        where_images: how the error names them.
        labels: number of labels.
        where_labels: how the error names them.
        hint: stands at the end of the error.

    Raises:
        UserError: the numbers differ.
    """
    if images != labels:
        raise UserError(
            f"{where_images}: {images} samples, but {where_labels}: {labels} labels. Give one label for each sample"
            f"{hint}"
        )
