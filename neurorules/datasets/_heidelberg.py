"""The Heidelberg data sets of spoken words in their published HDF5 layout, as event recordings.

A file holds `spikes/times` (seconds) and `spikes/units` (0..699), one list of each per recording, and `labels`.

Source: Cramer, Stradmann, Schemmel, Zenke 2022, IEEE TNNLS 33:2744, https://doi.org/10.1109/TNNLS.2020.3044364.
"""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Int

from neurorules.contracts.data_set import DataSet, Recordings, content_checksum
from neurorules.datasets._damage import reading
from neurorules.datasets._files import given_path, search_folders
from neurorules.language.errors import UserError

UNITS = 700
"""Channels of the artificial cochlea."""
LAYOUT = ("spikes/times", "spikes/units", "labels")
PAGE = "https://zenkelab.org/datasets"
MICROSECONDS = 1e6
LONGEST_S = 2**31 / MICROSECONDS
SHUFFLE_SEED = 0


def read_heidelberg(
    name: str, classes: int, path: str | None, data_dir: Path | None, steps: int | None, shuffled: bool
) -> DataSet:
    """Read the files NAME_train.h5 and NAME_test.h5 of a Heidelberg data set.

    Args:
        name: "shd" or "ssc".
        classes: number of classes.
        path: the user's folder, or None for the usual places.
        data_dir: the user's --data-dir, or None.
        steps: number of time steps that the user asks for, or None.
        shuffled: whether the time of each event is drawn anew within its recording.

    Returns:
        The data set. Which speakers are tested is what the files say: two splits of SHD circulate, of 8,156 and 2,264
        recordings and of 8,332 and 2,088, and `origin` tells the numbers.

    Raises:
        UserError: a file is missing, packed, damaged, or of another layout.
    """
    folder = _folder(name, path, data_dir)
    parts = {part: _read(folder / f"{name}_{part}.h5", classes, shuffled) for part in ("train", "test")}
    (train, train_labels), (test, test_labels) = parts["train"], parts["test"]
    digest = hashlib.sha256(f"{train.checksum}{test.checksum}".encode())
    return DataSet(
        name=name,
        kind="events",
        shape=(1, 1, UNITS),
        classes=classes,
        train=train,
        train_labels=train_labels,
        test=test,
        test_labels=test_labels,
        checksum=digest.hexdigest(),
        default_encoder="frames:bin_ms=10",
        steps=steps,
        origin=f"{len(train):,} recordings to learn from and {len(test):,} to test in {folder}",
    )


def _folder(name: str, path: str | None, data_dir: Path | None) -> Path:
    folders = [given_path(name, path, data_dir)] if path else search_folders(name, data_dir)
    files = [f"{name}_{part}.h5" for part in ("train", "test")]
    for folder in folders:
        if all((folder / file).is_file() for file in files):
            return folder
        packed = [file for file in files if (folder / f"{file}.gz").is_file() and not (folder / file).is_file()]
        if packed:
            there = " and ".join(f"{file}.gz" for file in packed)
            raise UserError(f"{name}: {there} in {folder} are still packed. Unpack them with gunzip")
    raise UserError(
        f"{name}: no {' and '.join(files)} in {', '.join(str(folder) for folder in folders)}. "
        f"Download {' and '.join(f'{file}.gz' for file in files)} from {PAGE}, unpack them into {folders[-1]}, "
        "or name their folder with --data-dir"
    )


def _read(path: Path, classes: int, shuffled: bool) -> tuple[Recordings, Int[np.ndarray, "N"]]:
    """Read one file of recordings and its labels.

    Raises:
        UserError: it is damaged or of another layout.
    """
    with reading(f"{path}", "Download it again"), h5py.File(path, "r") as file:
        missing = [name for name in LAYOUT if not isinstance(file.get(name), h5py.Dataset)]
        if missing:
            raise _other_layout(path, f"it holds no {', '.join(missing)}")
        times, units, labels = (file[name][:] for name in LAYOUT)
    if not len(times) == len(units) == len(labels) or labels.ndim != 1 or not len(labels):
        raise _other_layout(path, f"{len(times)} lists of times, {len(units)} of units and labels {labels.shape}")
    counts = np.array([len(row) for row in units], np.int64)
    different = np.flatnonzero(counts != [len(row) for row in times])
    if different.size:
        raise _other_layout(path, f"times and units of recording {different[0]} differ in number")
    seconds, unit = (np.concatenate([np.asarray(row) for row in rows]) for rows in (times, units))
    _check(path, seconds, unit, labels, classes)
    t_us = np.round(seconds.astype(np.float64) * MICROSECONDS).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    if shuffled:
        t_us = _drawn_anew(t_us, offsets)
    x, labels = unit.astype(np.uint16), labels.astype(np.int64)
    y, polarity = np.zeros(len(x), np.uint16), np.zeros(len(x), np.uint8)
    digest = content_checksum(x, t_us, offsets, labels)
    return Recordings(x, y, polarity, t_us, offsets, (1, 1, UNITS), digest), labels


def _check(path: Path, seconds: np.ndarray, unit: np.ndarray, labels: np.ndarray, classes: int) -> None:
    for what, values, most, kinds in (("times", seconds, LONGEST_S, "fui"), ("units", unit, UNITS, "ui"),
                                      ("labels", labels, classes, "ui")):  # fmt: skip
        if values.dtype.kind not in kinds:
            raise _other_layout(path, f"{what} are of type {values.dtype}")
        outside = ~((values >= 0) & (values < most))
        if outside.any():
            largest = most if what == "times" else most - 1
            raise _other_layout(path, f"{what} run outside 0 .. {largest:.10g}, such as {values[outside][0]}")


def _drawn_anew(t_us: Int[np.ndarray, "E"], offsets: Int[np.ndarray, "N_plus_1"]) -> Int[np.ndarray, "E"]:
    """The time of each event drawn anew, evenly between the first and the last event of its recording."""
    random = np.random.RandomState(SHUFFLE_SEED)  # NumPy promises this older stream never to change
    anew = t_us.copy()
    for first, last in itertools.pairwise(offsets):
        if last > first:
            begin, end = t_us[first:last].min(), t_us[first:last].max()
            anew[first:last] = random.randint(begin, int(end) + 1, size=last - first)
    return anew


def _other_layout(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} has another layout than the published one: {reason}. Give a file that holds "
        f"{', '.join(LAYOUT)}: lists of seconds, lists of units 0 .. {UNITS - 1}, and whole numbers"
    )
