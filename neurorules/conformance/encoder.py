"""The checks of encoders: an encoder is fitted once, only to training samples, and does not change afterwards."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurorules.conformance.comparison import demand_session_left_alone, seeded
from neurorules.conformance.suite import Entry, NotApplicable, Suite, demand, demand_instance
from neurorules.contracts.data_set import Recordings, Samples, content_checksum
from neurorules.contracts.encoder import Encoder
from neurorules.contracts.series import Series
from neurorules.encoders import ENCODERS
from neurorules.encoders._shared import with_statistics
from neurorules.language.errors import UserError
from neurorules.torch_path.training.learner import Learner

STEPS, SAMPLES, SENSOR, LENGTH_US = 7, 8, (2, 6, 5), 100_000
"""Number of time steps T, number of training samples, shape of a frame of events, and length of a recording in us."""


def images(seed: int, count: int = SAMPLES) -> np.ndarray:
    """Draw grey images of random pixels from a seed.

    Args:
        seed: seed of the draws.
        count: number of images N.

    Returns:
        Images (N, 1, 6, 5) in uint8, each with a black and a white pixel.
    """
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 1, 6, 5), dtype=np.uint8)
    pixels[:, 0, 0, 0], pixels[:, 0, 0, 1] = 0, 255
    return pixels


def events(seed: int, count: int = SAMPLES) -> Recordings:
    """Draw recordings of an event camera.

    Args:
        seed: seed of the draws.
        count: number of recordings.

    Returns:
        Recordings of 5 to 39 events each, in the order of time, on a sensor of the shape `SENSOR`.
    """
    random = np.random.default_rng(seed)
    counts = random.integers(5, 40, count)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    total = int(offsets[-1])
    x, y = (random.integers(0, side, total, dtype=np.uint8) for side in SENSOR[:0:-1])
    polarity = random.integers(0, 2, total, dtype=np.uint8)
    t_us = np.concatenate([np.sort(random.integers(0, LENGTH_US, n)) for n in counts]).astype(np.int32)
    return Recordings(x, y, polarity, t_us, offsets, SENSOR, content_checksum(x, y, polarity, t_us, offsets))


def sequences(seed: int, count: int = SAMPLES) -> np.ndarray:
    """Draw counts over time (N, T, 2, 6, 5), uint8.

    Args:
        seed: the seed of the generator.
        count: number of samples N.

    Returns:
        Numbers from 0 to 3.
    """
    return np.random.default_rng(seed).integers(0, 4, (count, STEPS, *SENSOR), dtype=np.uint8)


KINDS: Mapping[str, tuple[Any, tuple[int, int, int]]] = {
    "images": (images, (1, 6, 5)), "events": (events, SENSOR), "sequences": (sequences, SENSOR),
}  # fmt: skip
"""By kind of samples, the function that draws some from a seed and a number, and the shape of a sample."""


def cases(entry: Entry) -> list[tuple[Encoder, Samples, tuple[int, int, int]]]:
    """List the encoder before it is fitted, with training samples and their shape, for each kind that it accepts."""
    encoder: Encoder = entry.make()
    return [(encoder, KINDS[kind][0](0), KINDS[kind][1]) for kind in sorted(encoder.accepts)]


def encoded(encoder: Encoder, samples: Samples, seed: int = 0, steps: int = STEPS, cache: Path | None = None) -> Series:
    """Encode all samples in one batch.

    Args:
        encoder: a fitted encoder.
        samples: B samples.
        seed: seed of the encoder's draws.
        steps: number of time steps T, >= 1.
        cache: folder in which prepared samples are stored; None to store none.

    Returns:
        The drive, (T, B, C, H, W), or (B, C, H, W) if it is constant.
    """
    prepared = np.array(encoder.prepare(samples, steps, cache))
    return encoder.encode(torch.from_numpy(prepared), steps, seeded(seed))


def same(one: Series, other: Series) -> bool:
    """Compare two drives of a network for equality.

    Args:
        one, other: the drives.

    Returns:
        True where both have the same bits, and both or neither are constant.
    """
    return one.constant == other.constant and torch.equal(one.values, other.values)


def it_is_an_encoder_and_says_which_samples_it_takes(entry: Entry) -> None:
    """Its ENTRY makes an `Encoder` whose `accepts` names images, events or sequences."""
    encoder = demand_instance(entry, Encoder)
    right = bool(encoder.accepts) and set(encoder.accepts) <= set(KINDS)
    demand(right, "`accepts` names images, events or sequences", f"it is {encoder.accepts!r}", "Set it in the class")


def fitting_returns_another_encoder_and_leaves_this_one(entry: Entry) -> None:
    """`fit` does not change the encoder that it is called on."""
    for encoder, train, _ in cases(entry):
        before = dict(encoder.statistics)
        encoder.fit(train)
        right = dict(encoder.statistics) == before
        demand(right, "`fit` leaves its encoder as it was", "its statistics changed", "Return a copy with statistics")


def only_training_samples_are_fitted_to(entry: Entry) -> None:
    """Preparing and encoding other samples changes neither the statistics nor what training samples become."""
    for encoder, train, _ in cases(entry):
        fitted = encoder.fit(train)
        statistics, before = dict(fitted.statistics), encoded(fitted, train)
        extreme = KINDS["events"][0](9) if isinstance(train, Recordings) else np.full(train.shape, 255, np.uint8)
        encoded(fitted, extreme)
        demands = "an encoder is fitted to training samples alone"
        moved = dict(fitted.statistics) != statistics
        demand(not moved, demands, "its statistics moved when it prepared others", "Measure in `fit` and nowhere else")
        demand(
            same(before, encoded(fitted, train)), demands, "training samples were encoded otherwise after others",
            "Keep nothing of what `prepare` and `encode` see",
        )  # fmt: skip


def one_seed_gives_one_drive_and_no_global_generator_is_used(entry: Entry) -> None:
    """Encoding twice with equal generators gives equal bits, and leaves the session alone."""
    for encoder, train, _ in cases(entry):
        fitted = encoder.fit(train)
        demand(
            same(encoded(fitted, train, 3), encoded(fitted, train, 3)), "one seed gives one drive",
            "two calls with equal generators differed", "Draw from the generator that is handed in, and keep no count",
        )  # fmt: skip
        demand_session_left_alone(lambda fitted=fitted, train=train: encoded(fitted, train), "`encode`")  # type: ignore[misc]


def a_drive_has_the_shape_of_the_samples_and_is_finite(entry: Entry) -> None:
    """(T, B, C, H, W), or (B, C, H, W) where it is constant; floating-point, finite, and not silent; also for T = 1."""
    for encoder, train, shape in cases(entry):
        for steps in (STEPS,) if _kind(train) == "sequences" else (1, STEPS):
            drive = encoded(encoder.fit(train), train, steps=steps)
            expected = (SAMPLES, *shape) if drive.constant else (steps, SAMPLES, *shape)
            observed = f"it is {tuple(drive.values.shape)} of {drive.values.dtype}"
            right = tuple(drive.values.shape) == expected and drive.values.is_floating_point()
            demand(right, f"a drive of {steps} steps is {expected} of a floating type", observed, "Correct its shape")
            fine = bool(drive.values.isfinite().all()) and bool(drive.values.any())
            demand(fine, "a drive is finite and not silent", "it is not", "Check the scale of what comes in")
            total = torch.as_tensor(0.0) if drive.summed is None else drive.summed - drive.values.sum(0)
            right = bool(total.abs().max() < 1e-4)
            demand(right, "`summed` is the sum over time", "it is another", "Leave it None")


def no_sample_sees_its_batch(entry: Entry) -> None:
    """If nothing is random, the encoding of a sample does not depend on the other samples of the batch."""
    for encoder, train, _ in cases(entry):
        fitted = encoder.fit(train)
        together = encoded(fitted, train, 0)
        if not same(together, encoded(fitted, train, 1)):
            raise NotApplicable("it draws at random, so that a sample alone has other draws")
        axis = 0 if together.constant else 1
        alone = [encoded(fitted, train[np.array([n])]).values for n in range(SAMPLES)]
        right = torch.equal(torch.cat(alone, axis), together.values)
        demand(right, "no sample sees its batch", "a sample alone was encoded otherwise", "Scale by `fit` alone")


def preparing_keeps_one_row_for_each_sample_with_and_without_a_cache(entry: Entry) -> None:
    """`prepare` has N rows in the samples' order, the same from memory, from a new cache and from an old one."""
    for encoder, train, _ in cases(entry):
        fitted = encoder.fit(train)
        memory = np.array(fitted.prepare(train, STEPS, None))
        demand(len(memory) == SAMPLES, "`prepare` has one row per sample", f"it has {len(memory)}", "Keep all of them")
        backwards = np.array(fitted.prepare(train[np.arange(SAMPLES)[::-1]], STEPS, None))
        right = np.array_equal(backwards, memory[::-1])
        demand(right, "rows stand in the samples' order", "samples backwards are not rows backwards", "Keep the order")
        with tempfile.TemporaryDirectory() as folder:
            stored = [np.array(fitted.prepare(train, STEPS, Path(folder))) for _ in range(2)]
            right = all(np.array_equal(rows, memory) for rows in stored)
            demand(right, "a cache holds what memory does", "it does not", "Name all options in the file's name")
            other = np.array(fitted.prepare(KINDS[_kind(train)][0](5), STEPS, Path(folder)))
        right = not np.array_equal(other, memory)
        demand(
            right, "a cache tells samples apart", "others came back as these", "Name the checksum in the file's name"
        )


def it_comes_back_from_its_text_and_its_statistics(entry: Entry) -> None:
    """Statistics are plain numbers by name, and an encoder with the same text and numbers gives the same drive."""
    for encoder, train, _ in cases(entry):
        fitted = encoder.fit(train)
        numbers = all(isinstance(k, str) and type(v) is float for k, v in fitted.statistics.items())
        observed = f"they are {dict(fitted.statistics)!r}"
        demand(numbers, "`statistics` are plain numbers by name", observed, "Use `float`")
        again = with_statistics(entry.make(), json.loads(json.dumps(dict(fitted.statistics))))
        right = same(encoded(again, train), encoded(fitted, train))
        demand(right, "text and statistics are all of an encoder", "another drive came back", "Keep all in statistics")


def samples_of_no_kind_are_refused_by_a_user_error(entry: Entry) -> None:
    """An array that holds no images (N, C, H, W) is refused in one line."""
    encoder, train, _ = cases(entry)[0]
    error: Exception | None = None
    try:
        encoder.fit(train).prepare(np.zeros((3, 4), np.uint8), STEPS, None)
    except Exception as raised:
        error = raised
    observed = f"it raised {type(error).__name__}" if error else "it took them"
    demand(isinstance(error, UserError), "samples of no kind are refused by UserError", observed, "Check the shape")


def it_drives_a_net_alike_in_every_schedule(entry: Entry) -> None:
    """A net that learns from its drive by layer and step by step ends with the same weights."""
    for encoder, train, shape in cases(entry):
        drive = encoded(encoder.fit(train), train)
        drive = Series(drive.values.double(), drive.constant)
        labels = torch.arange(SAMPLES) % 3
        weights = []
        for schedule in ("by_layer", "by_step"):
            learner = Learner(
                "9", "local_readout", input_shape=shape, classes=3, steps=STEPS, device="cpu", precision="float64",
                schedule=schedule,
            )  # fmt: skip
            learner.step(drive, labels)
            weights.append(learner.read()["hidden1.ff.w"])
        right = bool((weights[0] - weights[1]).abs().max() < 1e-7)
        demand(
            right, "a drive is the same in every schedule", "weights differ", "Give all T steps, or a constant drive"
        )


def _kind(samples: Samples) -> str:
    if isinstance(samples, Recordings):
        return "events"
    return "images" if samples.ndim == 4 else "sequences"


SUITE = Suite(
    ENCODERS,
    Encoder,
    (
        it_is_an_encoder_and_says_which_samples_it_takes,
        fitting_returns_another_encoder_and_leaves_this_one,
        only_training_samples_are_fitted_to,
        one_seed_gives_one_drive_and_no_global_generator_is_used,
        a_drive_has_the_shape_of_the_samples_and_is_finite,
        no_sample_sees_its_batch,
        preparing_keeps_one_row_for_each_sample_with_and_without_a_cache,
        it_comes_back_from_its_text_and_its_statistics,
        samples_of_no_kind_are_refused_by_a_user_error,
        it_drives_a_net_alike_in_every_schedule,
    ),
)
