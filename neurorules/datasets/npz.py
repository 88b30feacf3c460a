"""Your own samples in one NumPy file: `npz:FILE`, holding x_train, y_train, x_test, y_test."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurorules.contracts.data_set import DataSet
from neurorules.contracts.target import PER_STEP
from neurorules.datasets._arrays import Channels, image_set, sequence_set
from neurorules.datasets._damage import reading
from neurorules.datasets._files import given_path
from neurorules.datasets._npy import names_in, read_npy, shape_of
from neurorules.language.errors import UserError
from neurorules.language.ranges import Classes, ranged
from neurorules.language.settings import Task

NEEDED = ("x_train", "y_train", "x_test", "y_test")
WITH_TIME = 5
"""Axes of an array that has a time axis whatever the user says: (N, T, C, H, W)."""


@ranged("data set 'npz'")
@dataclass(frozen=True)
class NpzFile:
    """An .npz file with the arrays x_train, y_train, x_test, y_test; other arrays in it are not read.

    x: grey images (N, H, W); images (N, C, H, W) or (N, H, W, C); vectors (N, F), read as one row of F pixels
    (1, 1, F); or samples over time (N, T, C, H, W). uint8 values of images are grey levels (255 = full). Values of
    other number types, and all values over time, are not scaled: bring them to 0..1 where the encoder asks for that.
    y: whole numbers from 0, (N,) or (N, 1), or one-hot rows (N, classes); zeros and ones for several labels, (N, C);
    values (N, O); or classes (N, T) or values (N, T, O) for each step.

    Args:
        path: the file.
        classes: number of classes; `none` counts them from the training labels.
        channels: which of four axes of images holds the channels, "first" (after N) or "last"; "auto" takes the one of
            size at most 4.
        batch_first: says that x has a time axis, and where: `true` for (N, T, F), (N, T, H, W) or (N, T, C, H, W),
            `false` for (T, N, ...); `none` takes five axes for (N, T, C, H, W), and finds (T, N, ...) by the labels.
        task: what y is: classes, multilabel, regression, classes_per_step or regression_per_step; `none` finds it.
    """

    path: str = ""
    classes: Classes | None = None
    channels: Channels = "auto"
    batch_first: bool | None = None
    task: Task | None = None

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the archive's samples and targets. A relative path that does not exist is looked for in `data_dir`.

        Raises:
            UserError: there is no such file, it lacks an array, values are NaN, shapes are wrong, or labels are out of
                range or not whole.
        """
        path = given_path("npz", self.path, data_dir)
        arrays = _read(path)
        where = {key: f"{path}, {key}" for key in NEEDED}
        batch_first = self._axes(path, *(arrays[key].shape for key in ("x_train", "y_train")))
        if batch_first is None:
            return image_set(path.stem, arrays, where, self.classes, self.channels, self.task)
        return sequence_set(path.stem, arrays, where, batch_first, self.classes, self.task)

    def own_steps(self, data_dir: Path | None = None) -> int | None:
        """Read the headers of two arrays; None where neither the samples nor their targets have a time axis.

        Raises:
            UserError: as for `load`.
        """
        path = given_path("npz", self.path, data_dir)
        with _opened(path) as archive:
            x, y = (shape_of(archive, key, f"npz: {path}, {key}") for key in ("x_train", "y_train"))
        batch_first = self._axes(path, x, y)
        if batch_first is not None and len(x) >= 3:
            return x[1 if batch_first else 0]
        return y[1] if len(y) == 3 or (self.task in PER_STEP and len(y) > 1) else None

    def _axes(self, path: Path, x: tuple[int, ...], y: tuple[int, ...]) -> bool | None:
        """Whether samples are (N, T, ...) or (T, N, ...); None where they have no time axis.

        Raises:
            UserError: five axes, of which either of two could be time.
        """
        if self.batch_first is not None or len(x) != WITH_TIME:
            return self.batch_first
        fits = [x[0] == y[0], x[1] == y[0]] if y else [True, False]
        if all(fits):
            raise UserError(
                f"{path}, x_train: has the shape {x}, and there are {y[0]} labels: either axis could be time. "
                "Add :batch_first=true or :batch_first=false"
            )
        return not fits[1]


def _opened(path: Path) -> zipfile.ZipFile:
    """The open file, after a look at which arrays it holds.

    Raises:
        UserError: the file is damaged or holds other arrays.
    """
    with reading(f"npz: {path}", "Save it again with numpy.savez"):
        with path.open("rb") as file:
            if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
                raise UserError(f"npz: {path} holds one bare array. Save {', '.join(NEEDED)} with numpy.savez")
        archive = zipfile.ZipFile(path)
        names = names_in(archive)
        missing = [key for key in NEEDED if key not in names]
        if missing:
            archive.close()
            raise UserError(
                f"npz: {path} holds no {', '.join(missing)} (found: {', '.join(names) or 'nothing'}). "
                f"Save the arrays under these names"
            )
        return archive


def _read(path: Path) -> dict[str, np.ndarray]:
    """Read the four arrays of the archive.

    Raises:
        UserError: the file is damaged or holds other arrays.
    """
    with reading(f"npz: {path}", "Save it again with numpy.savez"), _opened(path) as archive:
        return {key: read_npy(archive, key, f"npz: {path}, {key}") for key in NEEDED}


ENTRY = NpzFile
