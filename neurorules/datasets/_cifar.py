"""CIFAR-10 and CIFAR-100 in their binary form: label bytes and 3072 pixels a record, red, green, blue, row by row.

Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images", and its page, "Binary version".
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._arrays import image_set
from neurorules.datasets._files import download, download_folder, fetch_again_where_damaged, md5_of, search_folders
from neurorules.language.errors import UserError

URL = "https://www.cs.toronto.edu/~kriz/"
PIXELS = 3 * 32 * 32


class Archive(NamedTuple):
    """A published archive: file name, md5, members with the training and test records, label bytes, classes."""

    file: str
    md5: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    label_bytes: int
    classes: int


def load_archive(name: str, archive: Archive, data_dir: Path | None) -> DataSet:
    """The data set of a published archive; the last label byte of a record is the class.

    Raises:
        UserError: the archive is missing and cannot be downloaded, or is not the published one.
    """
    path = _find(name, archive, data_dir)
    if path.parent == download_folder(name):
        fetch_again_where_damaged(URL + archive.file, path, archive.md5)
    found = md5_of(path)
    if found != archive.md5:
        raise UserError(
            f"data '{name}': {path} is not the published file: md5 {found}, expected {archive.md5}. "
            f"Fetch it again from {URL}{archive.file}"
        )
    x_train, y_train = _read(path, archive.train, archive.label_bytes)
    x_test, y_test = _read(path, archive.test, archive.label_bytes)
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    return image_set(name, arrays, {key: f"{path} {key}" for key in arrays}, archive.classes, "first")


def _find(name: str, archive: Archive, data_dir: Path | None) -> Path:
    for folder in search_folders(name, data_dir):
        if (folder / archive.file).is_file():
            return folder / archive.file
    path = download_folder(name) / archive.file
    download(URL + archive.file, path, archive.md5)
    return path


def _read(path: Path, members: tuple[str, ...], label_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, 32, 32) uint8 and labels (N,) of some members, in their order."""
    parts = []
    with tarfile.open(path) as archive:
        for member in members:
            file = archive.extractfile(member)
            assert file is not None
            parts.append(np.frombuffer(file.read(), np.uint8).reshape(-1, label_bytes + PIXELS))
    records = np.concatenate(parts)
    return records[:, label_bytes:].reshape(-1, 3, 32, 32), records[:, label_bytes - 1]
