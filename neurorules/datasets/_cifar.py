"""CIFAR-10 and CIFAR-100 in their binary form. A record is one or two label bytes, then 3072 pixels row by row: all red
ones, all green ones, all blue ones.

Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images", and its page, "Binary version".
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._arrays import image_set
from neurorules.datasets._files import download, download_folder, fetch_again_where_damaged, md5_of, search_folders
from neurorules.language.errors import UserError

URL = "https://www.cs.toronto.edu/~kriz/"
PIXELS = 3 * 32 * 32


class Archive(NamedTuple):
    """A published archive of CIFAR images.

    Args:
        file: its name.
        md5: its hex MD5.
        train, test: its members that hold the training and the test records.
        label_bytes: number of label bytes of a record.
        classes: number of classes.
    """

    file: str
    md5: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    label_bytes: int
    classes: int


def load_archive(name: str, archive: Archive, data_dir: Path | None) -> DataSet:
    """Read the data set of a published archive. The last label byte of a record is the class.

    Args:
        name: registered name of the data set.
        archive: what is published.
        data_dir: the user's --data-dir, or None.

    Returns:
        The data set.

    Raises:
        UserError: the archive is missing and cannot be downloaded, or is not the published one.
    """
    path = _find(name, archive, data_dir)
    if path.parent == download_folder(name):
        fetch_again_where_damaged(URL + archive.file, path, archive.md5)
    md5 = md5_of(path)
    if md5 != archive.md5:
        raise UserError(
            f"data '{name}': {path} is not the published file: md5 {md5}, expected {archive.md5}. "
            f"Fetch it again from {URL}{archive.file}"
        )
    x_train, y_train = _read(path, archive.train, archive.label_bytes)
    x_test, y_test = _read(path, archive.test, archive.label_bytes)
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    return image_set(name, arrays, {key: f"{path} {key}" for key in arrays}, archive.classes, "first")


def _find(name: str, archive: Archive, data_dir: Path | None) -> Path:
    """The path of the archive, which is downloaded where no folder holds it."""
    for folder in search_folders(name, data_dir):
        if (folder / archive.file).is_file():
            return folder / archive.file
    path = download_folder(name) / archive.file
    download(URL + archive.file, path, archive.md5)
    return path


def _read(
    path: Path, members: tuple[str, ...], label_bytes: int
) -> tuple[Shaped[np.ndarray, "N 3 32 32"], Shaped[np.ndarray, "N"]]:
    """Read images and labels, both uint8, from some members of an archive, in the order of the members."""
    parts = []
    with tarfile.open(path) as archive:
        for member in members:
            file = archive.extractfile(member)
            if file is None:
                raise KeyError(f"{member} of {path} is not a file")
            parts.append(np.frombuffer(file.read(), np.uint8).reshape(-1, label_bytes + PIXELS))
    records = np.concatenate(parts)
    return records[:, label_bytes:].reshape(-1, 3, 32, 32), records[:, label_bytes - 1]
