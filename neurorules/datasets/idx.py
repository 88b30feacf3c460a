"""Your own images in a folder of idx files: `idx:path=DIR`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._damage import is_hidden
from neurorules.datasets._files import given_path
from neurorules.datasets._idx import load_idx_files
from neurorules.language.errors import UserError
from neurorules.language.ranges import Classes, ranged

PART_WORDS = {"train": ("train",), "test": ("t10k", "test")}
CONTENT_WORDS = {"x": "images", "y": "labels"}


@ranged("data set 'idx'")
@dataclass(frozen=True)
class IdxFolder:
    """A folder with four idx files, gzipped or not: training images and labels, test images and labels.

    A file's name must contain `train`, or `t10k` or `test`; and `images` or `labels`. Where a file lies there both
    packed and unpacked, the unpacked one is read. uint8 values are grey levels (255 = full); other number types are
    taken as they stand.

    Args:
        path: the folder.
        classes: number of classes; `none` counts them from the training labels.
    """

    path: str = ""
    classes: Classes | None = None

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the folder; a relative path that is not here is sought in `data_dir`.

        Raises:
            UserError: no such folder, a file is missing, twofold or broken.
        """
        folder = given_path("idx", self.path, data_dir)
        if not folder.is_dir():
            raise UserError(f"idx: '{self.path}' is no folder. Name the folder that holds the idx files")
        files = {f"{kind}_{part}": _pick(folder, kind, part) for part in PART_WORDS for kind in CONTENT_WORDS}
        return load_idx_files(folder.resolve().name, files, self.classes)


def _pick(folder: Path, kind: str, part: str) -> Path:
    """The folder's file for `kind` ("x" or "y") and `part` ("train" or "test")."""
    word = CONTENT_WORDS[kind]
    found = sorted(
        path
        for path in folder.iterdir()
        if not is_hidden(path.name) and path.is_file() and word in path.name.lower()
        if any(sign in path.name.lower() for sign in PART_WORDS[part])
    )
    asked = f"named like *{PART_WORDS[part][0]}*{word}*"
    if not found:
        raise UserError(f"idx: {folder} holds no file {asked}. Put the idx file there under such a name")
    if len({path.name.lower().removesuffix(".gz") for path in found}) > 1:
        names = " and ".join(path.name for path in found[:2])
        raise UserError(f"idx: {folder} holds more than one file {asked}: {names}. Keep one set in a folder")
    return found[0]


ENTRY = IdxFolder
