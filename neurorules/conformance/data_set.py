"""The checks of data sets: samples, labels and shapes agree, and no test sample is a training sample."""

from __future__ import annotations

import string
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from neurorules.conformance.comparison import demand_session_left_alone, seeded
from neurorules.conformance.suite import Entry, NotApplicable, Suite, demand, demand_instance
from neurorules.contracts.data_set import DataSet, DataSource, Recordings, Samples
from neurorules.contracts.target import OF_CLASSES, PER_STEP
from neurorules.datasets import DATASETS
from neurorules.encoders import open_encoder
from neurorules.language.errors import UserError

LARGEST_OVERLAP = 0.01
"""Largest share of test samples that may also be training samples, since published sets hold a few pictures twice."""


def loaded(entry: Entry) -> DataSet:
    """Read the data set, once for all checks of an entry.

    Raises:
        NotApplicable: its files are missing on this machine, or they are damaged.
    """
    return _loaded(entry.registry.modules[entry.name.replace("-", "_")], entry)


@lru_cache(maxsize=1)
def _loaded(module: str, entry: Entry) -> DataSet:
    return _read(entry)


def _read(entry: Entry) -> DataSet:
    try:
        data: DataSet = entry.make().load(None)
    except UserError as refusal:
        raise NotApplicable(f"it cannot be read here: {refusal}") from None
    return data


def parts(data: DataSet) -> dict[str, tuple[Samples, np.ndarray]]:
    """The samples and labels of each part, by its name."""
    return {"train": (data.train, data.train_labels), "test": (data.test, data.test_labels)}


def it_hands_over_a_data_set(entry: Entry) -> None:
    """Its ENTRY has `load`, which gives a `DataSet` of images, events or sequences with a name."""
    demand_instance(entry, DataSource)
    data = loaded(entry)
    demand(isinstance(data, DataSet), "`load` gives a DataSet", f"it gave a {type(data).__name__}", "Fill one in")
    demand(
        data.kind in ("images", "events", "sequences") and bool(data.name),
        "it has a name and a kind",
        "it has not",
        "Name it",
    )


def samples_have_the_shape_and_type_it_announces(entry: Entry) -> None:
    """Images are (N, C, H, W), sequences (N, T, C, H, W), uint8 or finite float32; recordings lie on a sensor of that
    shape."""
    data = loaded(entry)
    expected = (data.steps, *data.shape) if data.kind == "sequences" else data.shape
    for part, (samples, _) in parts(data).items():
        if data.kind == "events":
            demand(isinstance(samples, Recordings), "events are Recordings", f"{part} is not", "Build them")
        if isinstance(samples, Recordings):
            _demand_recordings(part, samples, data.shape)
            continue
        shape, dtype = getattr(samples, "shape", None), getattr(samples, "dtype", None)
        right = shape is not None and tuple(shape[1:]) == expected and dtype in (np.uint8, np.float32)
        observed = f"{part} is {shape} of {dtype}"
        demand(right, f"{data.kind} are (N, *{expected}), uint8 or float32", observed, "Reshape and convert them")
        finite = all(np.isfinite(samples[n : n + 1024]).all() for n in range(0, len(samples), 1024))
        demand(finite, "pixels are finite", f"some of {part} are not", "Leave such samples out")


def _demand_recordings(part: str, samples: Recordings, shape: tuple[int, int, int]) -> None:
    offsets, (_, height, width) = samples.offsets, samples.sensor
    ordered = offsets[0] == 0 and bool((np.diff(offsets) >= 0).all()) and int(offsets[-1]) == len(samples.x)
    demand(ordered, "offsets rise from 0 to the number of events", f"those of {part} do not", "Sum the counts")
    demand(samples.sensor == shape, "the sensor has the data's shape", f"it is {samples.sensor}", "Make them agree")
    inside = samples.x.size == 0 or bool(samples.x.max() < width and samples.y.max() < height)
    demand(inside, "events lie on the sensor", f"some of {part} lie outside", "Check columns and rows")
    right = bool(np.isin(samples.polarity, (0, 1)).all()) and bool((samples.t_us >= 0).all())
    demand(right, "polarities are 0 or 1, and times not negative", f"some of {part} are not so", "Check the decoding")


def _demand_targets(data: DataSet) -> None:
    """Targets of a task other than classes are finite, one for each sample, in the shape and type of the task."""
    for part, (samples, targets) in parts(data).items():
        last = () if data.task in OF_CLASSES else (data.classes,)
        axes = 1 + (data.task in PER_STEP) + len(last)
        right = len(samples) == len(targets) and targets.ndim == axes and targets.shape[axes - len(last) :] == last
        kind = np.int64 if data.task in OF_CLASSES else np.float32
        observed = f"{part} has {len(samples)} samples and targets {targets.shape} of {targets.dtype}"
        demand(
            right and targets.dtype == kind,
            f"targets have the form of task '{data.task}'",
            observed,
            "See `neurorules.contracts.target`",
        )
        demand(bool(np.isfinite(targets).all()), "targets are finite", f"some of {part} are not", "Leave them out")


def every_sample_has_a_label_of_a_class(entry: Entry) -> None:
    """Labels are int64, one for each sample, in 0 .. classes - 1, and training holds every class.

    Targets of another task have its form.
    """
    data = loaded(entry)
    if data.task != "classes":
        _demand_targets(data)
        return
    for part, (samples, labels) in parts(data).items():
        right = len(samples) > 0 and labels.shape == (len(samples),) and labels.dtype == np.int64
        observed = f"{part} has {len(samples)} samples and labels {labels.shape} of {labels.dtype}"
        demand(right, "every sample has one label of type int64", observed, "Use astype(np.int64)")
        low, high = int(labels.min()), int(labels.max())
        inside = low >= 0 and high < data.classes
        demand(inside, f"labels are 0 .. {data.classes - 1}", f"{part} has {low} .. {high}", "Count classes from 0")
    absent = sorted(set(range(data.classes)) - set(data.train_labels.tolist()))
    demand(not absent, "training holds every class", f"it has none of {absent[:5]}", "Split each class alike")


def _contents(samples: Samples) -> list[bytes]:
    if isinstance(samples, Recordings):
        rows = (samples.recording(n) for n in range(len(samples)))
        return [b"".join(np.ascontiguousarray(part).tobytes() for part in row) for row in rows]
    return [np.ascontiguousarray(row).tobytes() for row in samples]


def no_sample_is_both_learned_from_and_tested(entry: Entry) -> None:
    """Test samples are not in the training part, except for the few duplicates in published data sets."""
    data = loaded(entry)
    train = {hash(content) for content in _contents(data.train)}
    shared = sum(hash(content) in train for content in _contents(data.test))
    observed = f"{shared} of {len(data.test)} test samples stand in training"
    right = shared <= LARGEST_OVERLAP * len(data.test)
    demand(right, "no sample is both learned from and tested", observed, "Split the samples before anything else")


def reading_it_again_gives_the_same_samples_and_checksum(entry: Entry) -> None:
    """Two readings agree in every sample, every label and the checksum, and no global state is changed."""
    data = loaded(entry)
    digest = bool(data.checksum) and set(data.checksum) <= set(string.hexdigits)
    demand(digest, "the checksum is a hex digest", f"it is {data.checksum!r}", "Use `content_checksum`")
    again: list[DataSet] = []
    demand_session_left_alone(lambda: again.append(_read(entry)), "`load`")
    demands = "reading it again gives the same samples and checksum"
    right = again[0].checksum == data.checksum
    demand(right, demands, "the checksum differs", "Let it be a digest of the content alone")
    for part, (samples, labels) in parts(data).items():
        others, other_labels = parts(again[0])[part]
        right = np.array_equal(labels, other_labels) and _same(samples, others)
        demand(right, demands, f"samples or labels of {part} differ", "Fix the order and the seed of the split")


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Recordings):
        names = ("x", "y", "polarity", "t_us", "offsets")
        return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
    return bool(np.array_equal(one, other))


def its_default_encoder_encodes_it(entry: Entry) -> None:
    """The encoder that it names takes its kind of samples and gives a drive of its shape."""
    data = loaded(entry)
    encoder = open_encoder(data.default_encoder, data.kind)
    few, steps = data.train[: min(64, len(data.train))], data.steps or 3
    prepared = np.array(encoder.fit(few).prepare(few, steps, None)[:2])
    drive = encoder.fit(few).encode(torch.from_numpy(prepared), steps, seeded())
    observed = f"'{data.default_encoder}' gives {tuple(drive.values.shape)}"
    right = tuple(drive.values.shape[-3:]) == data.shape
    demand(right, f"the default encoder gives drives of {data.shape}", observed, "Name another, or correct the shape")


SUITE = Suite(
    DATASETS,
    DataSource,
    (
        it_hands_over_a_data_set,
        samples_have_the_shape_and_type_it_announces,
        every_sample_has_a_label_of_a_class,
        no_sample_is_both_learned_from_and_tested,
        reading_it_again_gives_the_same_samples_and_checksum,
        its_default_encoder_encodes_it,
    ),
)
