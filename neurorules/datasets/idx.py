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

    The name of a file must contain `train`, or `t10k` or `test`; and `images` or `labels`. Where both the packed and
    the unpacked form of a file lie there, the unpacked one is read. uint8 values are grey levels (255 = full); values
    of other number types are not scaled.

    Args:
        path: the folder.
        classes: number of classes; `none` counts them from the training labels.
    """

    path: str = ""
    classes: Classes | None = None

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the IDX files of the folder. A relative path that does not exist is looked for in `data_dir`.

        Raises:
            UserError: there is no such folder, or a file is missing, there twice, or broken.
        """
        folder = given_path("idx", self.path, data_dir)
        if not folder.is_dir():
            raise UserError(f"idx: '{self.path}' is not a folder. Name the folder that holds the idx files")
        files = {f"{kind}_{part}": _pick(folder, kind, part) for part in PART_WORDS for kind in CONTENT_WORDS}
        return load_idx_files(folder.resolve().name, files, self.classes)


def _pick(folder: Path, kind: str, part: str) -> Path:
    """The path of one file of the folder.

    Args:
        folder: where it lies.
        kind: "x" for images, "y" for labels.
        part: "train" or "test".

    Raises:
        UserError: no file, or more than one, has such a name.
    """
    word = CONTENT_WORDS[kind]
    candidates = sorted(
        path
        for path in folder.iterdir()
        if not is_hidden(path.name) and path.is_file() and word in path.name.lower()
        if any(sign in path.name.lower() for sign in PART_WORDS[part])
    )
    pattern = f"named like *{PART_WORDS[part][0]}*{word}*"
    if not candidates:
        raise UserError(f"idx: {folder} holds no file {pattern}. Put the idx file there under such a name")
    if len({path.name.lower().removesuffix(".gz") for path in candidates}) > 1:
        names = " and ".join(path.name for path in candidates[:2])
        raise UserError(f"idx: {folder} holds more than one file {pattern}: {names}. Keep one set in a folder")
    return candidates[0]


ENTRY = IdxFolder
