"""Your own images or vectors in one NumPy file: `npz:path=FILE`, holding x_train, y_train, x_test, y_test."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._arrays import Channels, image_set
from neurorules.datasets._damage import reading
from neurorules.datasets._files import given_path
from neurorules.datasets._npy import names_in, read_npy
from neurorules.language.errors import UserError
from neurorules.language.ranges import Classes, ranged

NEEDED = ("x_train", "y_train", "x_test", "y_test")


@ranged("data set 'npz'")
@dataclass(frozen=True)
class NpzFile:
    """An .npz file with the arrays x_train, y_train, x_test, y_test; other arrays in it are not read.

    x: grey images (N, H, W); images (N, C, H, W) or (N, H, W, C); or vectors (N, F), read as one row of F pixels
    (1, 1, F). uint8 values are grey levels (255 = full). Values of other number types are not scaled: bring them to
    0..1 where the encoder asks for that. y: whole numbers from 0, (N,) or (N, 1).

    Args:
        path: the file.
        classes: number of classes; `none` counts them from the training labels.
        channels: which of four axes holds the channels, "first" (after N) or "last"; "auto" takes the one of size at
            most 4.
    """

    path: str = ""
    classes: Classes | None = None
    channels: Channels = "auto"

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the file. A relative path that does not exist is looked for in `data_dir`.

        Raises:
            UserError: there is no such file, it lacks an array, values are NaN, shapes are wrong, or labels are out of
                range or not whole.
        """
        path = given_path("npz", self.path, data_dir)
        arrays = _read(path)
        where = {key: f"{path}, {key}" for key in NEEDED}
        return image_set(path.stem, arrays, where, self.classes, self.channels)


def _read(path: Path) -> dict[str, np.ndarray]:
    """Read the four arrays.

    Raises:
        UserError: the file is damaged or holds other arrays.
    """
    with reading(f"npz: {path}", "Save it again with numpy.savez"):
        with path.open("rb") as file:
            if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
                raise UserError(f"npz: {path} holds one bare array. Save {', '.join(NEEDED)} with numpy.savez")
        with zipfile.ZipFile(path) as archive:
            names = names_in(archive)
            missing = [key for key in NEEDED if key not in names]
            if missing:
                raise UserError(
                    f"npz: {path} holds no {', '.join(missing)} (found: {', '.join(names) or 'nothing'}). "
                    f"Save the arrays under these names"
                )
            return {key: read_npy(archive, key, f"npz: {path}, {key}") for key in NEEDED}


ENTRY = NpzFile
