"""Targets from the arrays of a user: which task they are is found from their type and shape, and said in one line."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from neurorules.contracts.target import PER_STEP, TASKS
from neurorules.datasets._labels import QMNIST_COLUMNS, as_labels, check_tested, count_classes, from_zero
from neurorules.datasets._sequences import as_float32
from neurorules.language.errors import UserError, unknown
from neurorules.language.settings import Task

_log = logging.getLogger(__name__)

FORMS: dict[Task, tuple[int, str]] = {
    "multilabel": (2, "(N, C)"),
    "regression": (2, "(N, O)"),
    "classes_per_step": (2, "(N, T)"),
    "regression_per_step": (3, "(N, T, O)"),
}
"""Number and meaning of the axes of targets that are no classes."""


class Targets(NamedTuple):
    """The targets of both parts.

    Args:
        labels: by part, "train" and "test": class indices (N,) or (N, T), int64; or (N, O) or (N, T, O), float32.
        outputs: number of classes, labels or values.
        task: what the targets are.
        steps: T that targets for each step decide; None for others.
    """

    labels: dict[str, Shaped[np.ndarray, "_"]]
    outputs: int
    task: Task
    steps: int | None


def targets_of(
    arrays: Mapping[str, np.ndarray], where: Mapping[str, str], classes: int | None = None, task: Task | None = None,
    steps: int | None = None,
) -> Targets:  # fmt: skip
    """Bring the targets of both parts to one form.

    Args:
        arrays: targets by the keys y_train and y_test.
        where: how an error names them, by the same keys.
        classes: number of classes; None counts them from the training labels, which then hold every class tested.
        task: what the targets are; None finds it from type and shape.
        steps: T of samples that bring their own time steps; None for others.

    Returns:
        Targets, their number of outputs, and the task.

    Raises:
        UserError: targets that are of no task, not of the one asked for, or that differ between the parts.
    """
    if task is not None and task not in TASKS:
        raise unknown("task", task, TASKS)
    train, place = arrays["y_train"], where["y_train"]
    kind: Task = task or ("classes" if classes is not None else _task_of(train, place, steps))
    if kind == "classes":
        labels, count = _class_labels(arrays, where, classes)
        return Targets(labels, count, kind, None)
    if classes is not None:
        raise UserError(f"{place}: classes={classes} counts classes, and task='{kind}' has none. Leave one of them out")
    values = {part: _brought(arrays[f"y_{part}"], kind, where[f"y_{part}"], steps) for part in ("train", "test")}
    if values["train"].shape[1:] != values["test"].shape[1:]:
        shapes = " and ".join(f"{values[part].shape[1:]}" for part in ("train", "test"))
        raise UserError(f"{where['y_test']}: targets of one sample have the shapes {shapes}. Make the parts alike")
    length = values["train"].shape[1] if kind in PER_STEP else None
    if kind == "classes_per_step":
        count = count_classes(values["train"].reshape(-1), place)
        check_tested(values["train"].reshape(-1), values["test"].reshape(-1), where["y_test"])
        return Targets(values, count, kind, length)
    return Targets(values, values["train"].shape[-1], kind, length)


def _class_labels(
    arrays: Mapping[str, np.ndarray], where: Mapping[str, str], classes: int | None
) -> tuple[dict[str, Shaped[np.ndarray, "_"]], int]:
    y_train, y_test = (as_labels(arrays[key], where[key]) for key in ("y_train", "y_test"))
    y_train, y_test = from_zero(y_train, y_test, where["y_train"], classes)
    count = count_classes(y_train, where["y_train"]) if classes is None else classes
    y = {"train": y_train, "test": y_test}
    for part, labels in y.items():
        as_labels(labels, where[f"y_{part}"], count)
    if classes is None:
        check_tested(y_train, y_test, where["y_test"])
    return y, count


def _task_of(labels: np.ndarray, where: str, steps: int | None) -> Task:
    """Tell the task of targets from their type and shape; one line says it where it is not plainly classes.

    Raises:
        UserError: it cannot be told.
    """
    if labels.dtype.kind not in "buif" or labels.size == 0 or labels.ndim == 0:
        return "classes"  # which says what is wrong with them
    _check_finite(labels, where)
    real = labels.dtype.kind == "f" and not np.array_equal(labels, np.floor(labels))
    shape = labels.shape
    if labels.ndim == 1 or (labels.ndim == 2 and shape[1] == 1):
        if not real:
            if labels.dtype.kind == "f":
                _said(where, labels, "classes", "whole numbers that are stored as floats", "regression")
            return "classes"
        return _said(where, labels, "regression", f"{np.prod(shape[1:], dtype=int)} value a sample")
    if labels.ndim == 2:
        return _task_of_rows(labels, where, steps, real)
    if labels.ndim == 3 and (real or labels.dtype.kind == "f"):
        values = f"{shape[2]} value{'s' if shape[2] > 1 else ''}"
        return _said(where, labels, "regression_per_step", f"{values} for each of {shape[1]} steps")
    if labels.ndim == 3 and shape[2] == 1:
        return _said(where, labels, "classes_per_step", f"a class for each of {shape[1]} steps")
    raise UserError(
        f"{where}: targets have the shape {shape} of {labels.dtype}, and it cannot be told what they are. Say it: "
        f"task='regression_per_step' for values of each step, or another of {', '.join(TASKS)}"
    )


def _task_of_rows(labels: np.ndarray, where: str, steps: int | None, real: bool) -> Task:
    """Tell the task of targets that have two axes."""
    width = labels.shape[1]
    if np.isin(labels, (0, 1)).all():
        if (labels.sum(axis=1) == 1).all():
            return "classes"
        return _said(where, labels, "multilabel", f"{width} labels, any number of them for a sample")
    if real or labels.dtype.kind == "f":
        if steps is not None and steps > 1 and width == steps:
            return _said(where, labels, "regression_per_step", f"a value for each of {steps} steps", "regression")
        return _said(where, labels, "regression", f"{width} values a sample")
    if steps is not None and width == steps:
        return _said(where, labels, "classes_per_step", f"a class for each of {steps} steps")
    if width == QMNIST_COLUMNS:
        return "classes"
    raise UserError(
        f"{where}: targets have the shape {labels.shape} of {labels.dtype}, neither one class a sample nor zeros and "
        f"ones. Give one whole number a sample, such as one column of these, or say task='regression' for values"
    )


def _said(where: str, labels: np.ndarray, task: Task, what: str, other: Task | None = None) -> Task:
    """The task, after one line that says how targets are read."""
    others = f"task='{other}'" if other else "task="
    _log.warning(
        "%s: targets of the shape %s of %s are read as task='%s', %s. Where they are something else, say %s",
        where, labels.shape, labels.dtype, task, what, others,
    )  # fmt: skip
    return task


def _check_finite(values: np.ndarray, where: str) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        bad = int(np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1))[0])
        raise UserError(
            f"{where}: the target of sample {bad} is NaN or infinite. Leave such samples out, or fill the values in"
        )


def _brought(array: np.ndarray, task: Task, where: str, steps: int | None) -> Shaped[np.ndarray, "N *target"]:
    """Targets of one part in the form of a task other than classes.

    Raises:
        UserError: they have another form.
    """
    if array.dtype.kind not in "buif" or array.size == 0:
        raise UserError(
            f"{where}: targets are {array.dtype} of the shape {array.shape}, and task='{task}' needs numbers"
        )
    values = as_float32(array, where).astype(np.float32, copy=False)
    _check_finite(values, where)
    axes, form = FORMS[task]
    if task == "classes_per_step" and values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if task != "classes_per_step" and values.ndim == axes - 1:
        values = values[..., None]
    if values.ndim != axes:
        raise UserError(f"{where}: targets have the shape {array.shape}, and task='{task}' needs {form}")
    if task in PER_STEP and steps is not None and values.shape[1] != steps:
        raise UserError(
            f"{where}: targets have the shape {array.shape}, one for each of {values.shape[1]} steps, and samples have "
            f"{steps} steps. Give (N, T, ...) with a target for each step"
        )
    if task == "multilabel" and not np.isin(values, (0, 1)).all():
        raise UserError(f"{where}: labels hold other values than 0 and 1, and task='multilabel' marks labels by these")
    if task == "classes_per_step":
        if not np.array_equal(values, np.floor(values)) or values.min() < 0:
            raise UserError(f"{where}: targets are not whole numbers from 0, and task='{task}' counts classes so")
        return array.reshape(values.shape).astype(np.int64)
    return values
