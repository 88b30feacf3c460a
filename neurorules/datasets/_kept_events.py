"""Recordings that are slow to read, kept in the cache as flat arrays, which are mapped into memory."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.contracts.data_set import DataSet, Recordings
from neurorules.disk.cache import cache_path
from neurorules.disk.cache_folder import cache_folder

FIELDS = ("x", "y", "polarity", "t_us", "offsets")
VERSION = 1  # raise it when the same files begin to give other arrays

log = logging.getLogger(__name__)


def fingerprint(folder: Path, *options: Any) -> str:
    """A hash of what can tell that files have changed without reading them: paths, sizes and times of change."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = [(path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([VERSION, stats, *options]).encode()).hexdigest()[:32]


def kept_events(stem: str, read: Callable[[], DataSet]) -> DataSet:
    """A data set of events from the cache; it is read and kept there where it is missing or damaged.

    Where the cache cannot be written, it is read for this process alone, after a line that says so.

    Args:
        stem: begins the name in the cache, and stands for everything that the data depend on.
        read: reads the data set itself.

    Returns:
        The data set, whose arrays are mapped into memory.
    """
    fresh: list[DataSet] = []

    def make(path: Path) -> None:
        fresh.append(read())
        _write(fresh[0], path)

    try:
        return _stored(cache_path(cache_folder() / "events", stem, "", make))
    except OSError as error:
        folder, reason = cache_folder() / "events", error.strerror or str(error)
        log.warning(f"events cannot be kept in {folder} ({reason}): each run reads the files again")
        return fresh[0] if fresh else read()


def _write(data: DataSet, path: Path) -> None:
    path.mkdir()
    for part, samples in {"train": data.train, "test": data.test}.items():
        assert isinstance(samples, Recordings)
        for name in FIELDS:
            np.save(path / f"{part}_{name}.npy", getattr(samples, name))
    np.save(path / "train_labels.npy", data.train_labels)
    np.save(path / "test_labels.npy", data.test_labels)
    about = {name: getattr(data, name) for name in ("name", "shape", "classes", "checksum", "class_names")}
    sums = {part: getattr(data, part).checksum for part in ("train", "test")}
    (path / "about.json").write_text(json.dumps({**about, "checksums": sums}), encoding="utf-8")


def _stored(path: Path) -> DataSet:
    about = json.loads((path / "about.json").read_text(encoding="utf-8"))
    polarities, height, width = about["shape"]
    shape = polarities, height, width

    def array(name: str) -> np.ndarray:
        mapped: np.ndarray = np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return mapped

    def recordings(part: str) -> Recordings:
        x, y, polarity, t_us, offsets = (array(f"{part}_{name}") for name in FIELDS)
        return Recordings(x, y, polarity, t_us, offsets, shape, about["checksums"][part])

    data = DataSet(
        name=about["name"],
        kind="events",
        shape=shape,
        classes=about["classes"],
        train=recordings("train"),
        train_labels=np.array(array("train_labels")),
        test=recordings("test"),
        test_labels=np.array(array("test_labels")),
        checksum=about["checksum"],
        default_encoder="frames",
    )
    return replace(data, class_names=tuple(about["class_names"]))
