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
    """An .npz file with x_train, y_train, x_test, y_test; other arrays in it are left alone.

    x: (N, H, W) grey images; (N, C, H, W) or (N, H, W, C); or (N, F) vectors, read as one row of F pixels (1, 1, F).
    uint8 values are grey levels (255 = full); every other number type is taken as it stands, so scale it to 0..1 where
    the encoder asks for that. y: (N,) or (N, 1), whole numbers from 0.

    Args:
        path: the file.
        classes: number of classes; `none` counts them from the training labels.
        channels: auto | first | last: which axis of 4 holds the channels; auto takes the one of at most 4.
    """

    path: str = ""
    classes: Classes | None = None
    channels: Channels = "auto"

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the file; a relative path that is not here is sought in `data_dir`.

        Raises:
            UserError: no such file, no such arrays in it, NaN, wrong shapes, labels out of range or not whole.
        """
        path = given_path("npz", self.path, data_dir)
        arrays = _read(path)
        where = {key: f"{path}, {key}" for key in NEEDED}
        return image_set(path.stem, arrays, where, self.classes, self.channels)


def _read(path: Path) -> dict[str, np.ndarray]:
    """The four arrays."""
    with reading(f"npz: {path}", "Save it again with numpy.savez"):
        with path.open("rb") as file:
            if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
                raise UserError(f"npz: {path} holds one bare array. Save {', '.join(NEEDED)} with numpy.savez")
        with zipfile.ZipFile(path) as archive:
            found = names_in(archive)
            missing = [key for key in NEEDED if key not in found]
            if missing:
                raise UserError(
                    f"npz: {path} holds no {', '.join(missing)} (found: {', '.join(found) or 'nothing'}). "
                    f"Save the arrays under these names"
                )
            return {key: read_npy(archive, key, f"npz: {path}, {key}") for key in NEEDED}


ENTRY = NpzFile
