"""Data as a user has them: pairs of arrays, torch and tonic data sets, loaders. Here they become a `DataSet`.

`own_data` is the door for training, comparisons, recording and the command line; `Learner.fit` and `evaluate` read
batches through the same rooms: `batches` (what there is), `values` (single samples), `events` (fields, sensor).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neurorules.contracts.data_set import DataSet, Recordings
from neurorules.contracts.target import OF_VALUES
from neurorules.datasets._arrays import MOST_CHANNELS, Channels, image_set, sequence_set
from neurorules.datasets._own.events import on_sensor
from neurorules.datasets._own.fields import check_order, checked_keys
from neurorules.datasets._own.gather import PartSamples, class_names_of, described, part_samples, sensor_of
from neurorules.datasets._targets import targets_of
from neurorules.language.errors import UserError
from neurorules.language.settings import Task

IN_MEMORY = "memory"
"""Begins the name of a data set that has no other: memory:HASH."""
DIGITS = 16
"""Hex digits of the content's hash in such a name."""
PARTS = {"train": "the training data", "test": "the test data"}

_log = logging.getLogger(__name__)

SensorSize = tuple[int, int, int] | None
"""Columns, rows and polarities of a sensor, in the order of tonic's `sensor_size`."""


def own_data(
    data: Any, batch_first: bool | None = None, sensor_size: SensorSize = None, name: str | None = None,
    task: Task | None = None, keys: Sequence[str] | None = None,
) -> DataSet:  # fmt: skip
    """Read what a user has.

    Args:
        data: (train, test), or a dict of both. Each is a pair (x, y) of arrays or tensors, or of lists; a map-style or
            iterable data set of torch or tonic; a DataLoader; or anything that yields (sample, label) or (samples,
            labels), also as dicts whose names say which is which.
        batch_first: says that samples have a time axis, and whether arrays and batches are (N, T, ...) or (T, N, ...).
            None reads images, and finds a time axis where there are five axes, or four in a single sample.
        sensor_size: columns, rows and polarities of the sensor of events; None takes what the data set says, or else
            the smallest sensor that holds all events.
        name: the name of the data set; None for `memory:HASH`, of the content's hash.
        task: what the targets are; None finds it from their type and shape, which a line says.
        keys: for samples that are dicts, the names of the sample and of its label; None for the usual names.

    Returns:
        Images, sequences or events with class numbers from 0, or the targets of another task.

    Raises:
        UserError: something in it cannot be read, or does not fit the rest.
    """
    named = checked_keys(keys)
    check_order(batch_first)
    parts = dict(zip(PARTS, _two_parts(data), strict=True))
    samples_of = {part: part_samples(one, PARTS[part], batch_first, named) for part, one in parts.items()}
    names, samples_of = _numbered(samples_of)
    if isinstance(samples_of["train"].samples, Recordings) != isinstance(samples_of["test"].samples, Recordings):
        raise UserError("the training data or the test data are events, and the others are not. Make them alike")
    if isinstance(samples_of["train"].samples, Recordings):
        if batch_first is not None:
            raise UserError("batch_first says where the time axis of arrays stands, and these are events. Leave it out")
        read = _event_set(samples_of, _sensor(parts, sensor_size), task)
    else:
        if sensor_size is not None:
            raise UserError("sensor_size is given, and the samples are not events. Leave it out")
        read = _array_set(samples_of, task)
    names = () if read.task in OF_VALUES else names or class_names_of(parts["train"], named)
    origin = "; ".join(f"{PARTS[part]}: {described(one)}" for part, one in parts.items())
    return replace(
        read,
        name=name or f"{IN_MEMORY}:{read.checksum[:DIGITS]}",
        class_names=names[: read.classes] if len(names) >= read.classes else (),
        origin=origin,
    )


def _two_parts(data: Any) -> tuple[Any, Any]:
    """The training part and the test part.

    Raises:
        UserError: there are not two of them.
    """
    if isinstance(data, Mapping) and {"train", "test"} <= data.keys():
        return data["train"], data["test"]
    if not isinstance(data, list | tuple):
        what = f"a {type(data).__name__}"
    elif len(data) != 2:
        what = f"{len(data)} things"
    else:
        return data[0], data[1]
    raise UserError(
        f"data is {what}. Give two parts, data=(train, test): each a pair (x, y), a Dataset or a DataLoader; or the "
        "name or path of a data set"
    )


def _numbered(parts: dict[str, PartSamples]) -> tuple[tuple[str, ...], dict[str, PartSamples]]:
    """Names of classes, and labels as numbers where they were names.

    Raises:
        UserError: one part has names and the other numbers, or a test label is no name of a training label.
    """
    kinds = {part: one.labels.dtype.kind == "U" for part, one in parts.items()}
    if not any(kinds.values()):
        return (), parts
    if not all(kinds.values()):
        raise UserError("the labels of one part are names, and those of the other are numbers. Make them alike")
    names = sorted(set(parts["train"].labels.tolist()))
    new = sorted(set(parts["test"].labels.tolist()) - set(names))
    if new:
        raise UserError(f"{PARTS['test']}: no training sample has the class '{new[0]}'. Training must hold every class")
    numbered = {part: one._replace(labels=np.searchsorted(names, one.labels)) for part, one in parts.items()}
    return tuple(names), numbered


def _sensor(parts: dict[str, Any], sensor_size: SensorSize) -> tuple[int, int, int] | None:
    """The sensor as (polarities, rows, columns), as the user or the training data say; None where neither does.

    Raises:
        UserError: it is no three whole numbers.
    """
    if sensor_size is None:
        return sensor_of(parts["train"])
    sizes = tuple(sensor_size)
    if len(sizes) != 3 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise UserError(f"sensor_size is {sensor_size}. Give three whole numbers: (columns, rows, polarities)")
    width, height, polarities = sizes
    return polarities, height, width


def _event_set(parts: dict[str, PartSamples], sensor: tuple[int, int, int] | None, task: Task | None) -> DataSet:
    read = {part: one.samples for part, one in parts.items() if isinstance(one.samples, Recordings)}
    if sensor is None:
        sizes = zip(read["train"].sensor, read["test"].sensor, strict=True)
        polarities, height, width = (max(pair) for pair in sizes)
        sensor = polarities, height, width
        _log.warning(
            "events: the data name no sensor, and it is taken to have %d x %d pixels and %d polarities, as the events "
            "need. sensor_size=(columns, rows, polarities) says another", width, height, polarities,
        )  # fmt: skip
    placed = {part: on_sensor(one, sensor, PARTS[part]) for part, one in read.items()}
    labels, where = _labels(parts)
    targets = targets_of(labels, where, None, task)
    y = targets.labels
    digest = hashlib.sha256(f"{placed['train'].checksum}{placed['test'].checksum}{sensor}".encode())
    digest.update(y["train"].tobytes() + y["test"].tobytes())
    return DataSet(
        name="",
        kind="events",
        shape=sensor,
        classes=targets.outputs,
        train=placed["train"],
        train_labels=y["train"],
        test=placed["test"],
        test_labels=y["test"],
        checksum=digest.hexdigest(),
        default_encoder="frames",
        steps=targets.steps,
        task=targets.task,
    )


def _array_set(parts: dict[str, PartSamples], task: Task | None) -> DataSet:
    labels, where = _labels(parts)
    samples = {part: one.samples for part, one in parts.items() if isinstance(one.samples, np.ndarray)}
    arrays = {**labels, **{f"x_{part}": array for part, array in samples.items()}}
    if parts["train"].timed != parts["test"].timed:
        raise UserError(
            "the training data or the test data have a time axis, and the others have none. Make them alike"
        )
    if parts["train"].timed:
        return sequence_set("", arrays, where, task=task)
    shape = samples["train"].shape
    return image_set("", arrays, where, channels=_channels(shape), task=task)


def _channels(shape: tuple[int, ...]) -> Channels:
    """Channels stand first, as in torch, but where the last of four axes can be nothing else."""
    return "last" if len(shape) == 4 and shape[3] <= MOST_CHANNELS < shape[1] else "first"


def _labels(parts: dict[str, PartSamples]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Labels by the keys y_train and y_test, and how errors name samples and labels."""
    labels = {f"y_{part}": one.labels for part, one in parts.items()}
    where = {f"x_{part}": PARTS[part] for part in parts} | {f"y_{part}": f"{PARTS[part]}, the labels" for part in parts}
    return labels, where
