"""Your own pictures in folders, one folder for each class: `folder:DIR`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._arrays import image_set
from neurorules.datasets._damage import is_hidden
from neurorules.datasets._files import given_path
from neurorules.datasets._held_out import tested_mask
from neurorules.datasets._pictures import SUFFIXES, read_picture
from neurorules.language.errors import UserError
from neurorules.language.ranges import Range, ranged

TRAIN, TEST = ("train", "training"), ("test", "val", "valid", "validation")
"""Names that the folders of the two parts may have."""
DEEPEST = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}
"""The brightest value of each type of a pixel."""


class _Picture(NamedTuple):
    """A file, and the name of its class."""

    path: Path
    label: str


@ranged("data set 'folder'")
@dataclass(frozen=True)
class PictureFolder:
    """Pictures DIR/train/CLASS/FILE and DIR/test/CLASS/FILE, as torchvision's ImageFolder and Hugging Face read them.

    A test part may be called test, val or validation. Where there are no parts, DIR/CLASS/FILE, `test` divides the
    pictures. Classes are numbered in the order of their names. Pictures are PNG, JPEG, BMP, TIFF, WebP, PNM or GIF,
    grey or colour, all of one size. Those of 8 bits a channel stay as they are, 0..255; with pictures of 16 bits all
    become float32 in 0..1. Where some are grey and others in colour, grey ones get three equal channels.

    Args:
        path: the folder.
        test: share of the pictures of each class that is tested, where there is no folder of test pictures.
    """

    path: str = ""
    test: Annotated[float, Range("(0, 1)")] | None = None

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read all pictures of the folder. A relative path that does not exist is looked for in `data_dir`.

        Raises:
            UserError: there is no such folder, no picture in it, or one that is damaged or of another size.
        """
        root = given_path("folder", self.path, data_dir)
        if not root.is_dir():
            raise UserError(
                f"folder: '{self.path}' is not a folder. Name the folder that holds the folders of the classes"
            )
        train, test = self._parts(root)
        names = sorted({picture.label for picture in train})
        new = sorted({picture.label for picture in test} - set(names))
        if new:
            raise UserError(
                f"folder: {root}: no training picture has the class '{new[0]}'. Training must hold every class"
            )
        whole = _pixels([*train, *test])
        parts = {"train": (whole[: len(train)], train), "test": (whole[len(train) :], test)}
        arrays = {f"x_{part}": pixels for part, (pixels, _) in parts.items()}
        arrays |= {
            f"y_{part}": np.searchsorted(names, [p.label for p in pictures]) for part, (_, pictures) in parts.items()
        }
        where = {key: f"folder: {root}, {'training' if key.endswith('train') else 'test'} pictures" for key in arrays}
        data = image_set(root.resolve().name, arrays, where, channels="last")
        return replace(data, class_names=tuple(names), origin=f"pictures in {root}")

    def _parts(self, root: Path) -> tuple[list[_Picture], list[_Picture]]:
        """Pictures to learn and to test.

        Raises:
            UserError: there are none, or it is open which are tested.
        """
        folders = {path.name.lower(): path for path in _folders(root)}
        train, test = (next((folders[name] for name in names if name in folders), None) for names in (TRAIN, TEST))
        text = f"folder:{self.path}"
        if train is None:
            pictures = _pictures(root)
            tested = tested_mask(np.array([picture.label for picture in pictures]), self.test, text)
            chosen: list[list[_Picture]] = [[], []]
            for picture, is_tested in zip(pictures, tested, strict=True):
                chosen[int(is_tested)].append(picture)
            return chosen[0], chosen[1]
        if test is None:
            pictures = _pictures(train)
            raise UserError(
                f"data '{text}': {root} holds {train.name}/ and no {'/, '.join(TEST)}/. Add test pictures, or write "
                f"folder:{train}:test=0.2"
            )
        if self.test is not None:
            raise UserError(f"data '{text}' have the test part {test.name}/, and test={self.test} asks for another")
        return _pictures(train), _pictures(test)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not is_hidden(path.name))


def _pictures(root: Path) -> list[_Picture]:
    """All pictures below the folders of the classes, in the order of their paths.

    Raises:
        UserError: there is no folder, or one without a picture.
    """
    pictures: list[_Picture] = []
    for folder in _folders(root):
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        files = [path for path in files if not is_hidden(path.relative_to(root).as_posix())]
        if not files:
            raise UserError(
                f"folder: {folder} holds no picture ({', '.join(sorted(SUFFIXES))}). Remove it, or add some"
            )
        pictures += [_Picture(path, folder.name) for path in files]
    if not pictures:
        raise UserError(f"folder: {root} holds no folders of classes. Put the pictures into one folder for each class")
    return pictures


def _pixels(pictures: list[_Picture]) -> np.ndarray:
    """All pictures in one array (N, H, W, 1 or 3), uint8 or float32 in 0..1.

    Raises:
        UserError: pictures differ in size, or one is damaged.
    """
    arrays = [read_picture(picture.path) for picture in pictures]
    size = arrays[0].shape[:2]
    for array, picture in zip(arrays, pictures, strict=True):
        if array.shape[:2] != size:
            raise UserError(
                f"folder: {picture.path} has {array.shape[1]} x {array.shape[0]} pixels, and {pictures[0].path} has "
                f"{size[1]} x {size[0]}. Bring all pictures to one size"
            )
    channels = max(array.shape[2] for array in arrays)
    deep = any(array.dtype != np.uint8 for array in arrays)
    whole = np.empty((len(arrays), *size, channels), np.float32 if deep else np.uint8)
    for place, array in enumerate(arrays):
        whole[place] = array / DEEPEST[array.dtype] if deep else array
    return whole


ENTRY = PictureFolder
