"""The idx format of MNIST, and the data sets that are published in it.

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats": two zero bytes, a
type code, the number of dimensions, each dimension as a big-endian uint32, then the values, big-endian.
"""

from __future__ import annotations

import gzip
import math
import struct
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._arrays import image_set
from neurorules.datasets._damage import reading
from neurorules.datasets._files import download, download_folder, fetch_again_where_damaged, md5_of, search_folders
from neurorules.language.errors import UserError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"
LARGEST_RATIO = 1100  # deflate packs at most 1032 bytes into one; the rest is for short files
MOST_DIMENSIONS = 4
PIECE = 1 << 20  # bytes that are unpacked at a time

OFFICIAL_FILES = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}


def read_idx(path: Path) -> np.ndarray:
    """Read the array of one idx file into the byte order of the machine. The first bytes tell whether it is gzipped.

    The header is read first, and no more is unpacked than it announces.

    Raises:
        UserError: the file cannot be read, its gzip is broken, its magic number is wrong, or its length is not what the
            header says.
    """
    with reading(str(path), "Fetch it again"):
        size = path.stat().st_size
        with path.open("rb") as file:
            if file.read(2) == GZIP:
                broken = reading(f"{path}: the gzip file is broken and", "Fetch it again")
                with broken, gzip.open(path) as unpacked:
                    return _read_open(unpacked, path, size * LARGEST_RATIO)
            file.seek(0)
            return _read_open(file, path, size)


def _read_open(file: BufferedIOBase, path: Path, most: int) -> np.ndarray:
    """Read the array of an open file, which is `most` bytes long at most when it is unpacked."""
    begin = file.read(4)
    if len(begin) < 4 or begin[:2] != b"\0\0" or begin[2] not in TYPES or begin[3] == 0:
        raise UserError(
            f"{path} is not an idx file: it begins with {begin.hex(' ') or 'nothing'}, not with 00 00 08 and the "
            f"number of dimensions. Check that it is the right file"
        )
    kind, dimensions = np.dtype(TYPES[begin[2]]), begin[3]
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        have, header = 4 + len(sizes), 4 + 4 * dimensions
        raise UserError(f"{path}: is cut short inside its header, at {have} of {header} bytes. Fetch it again")
    shape = struct.unpack(f">{dimensions}I", sizes)
    expected = math.prod(shape) * kind.itemsize
    announced = f"{expected} bytes of values, which its header {shape} asks for"
    if expected > most:
        raise UserError(f"{path}: is cut short: it cannot hold the {announced}. Fetch it again")
    if dimensions > MOST_DIMENSIONS:
        raise UserError(f"{path}: has {dimensions} dimensions. Give images or labels")
    values = np.empty(expected, np.uint8)
    have = 0
    while have < expected and (count := file.readinto(values[have : have + PIECE].data)):
        have += count
    if have < expected:
        raise UserError(f"{path}: is cut short: it holds {have} of the {announced}. Fetch it again")
    if file.read(1):
        raise UserError(f"{path}: is too long: it holds more than the {announced}. Fetch it again")
    return values.view(kind).reshape(shape).astype(kind.newbyteorder("="), copy=False)


def load_idx_files(name: str, files: dict[str, Path], classes: int | None) -> DataSet:
    """Read the data set of four idx files.

    Args:
        name: the name of the data set.
        files: paths by the keys x_train, y_train, x_test, y_test.
        classes: number of classes; None counts them from the training labels.

    Returns:
        The data set.

    Raises:
        UserError: a file is broken, or the files do not fit each other.
    """
    arrays = {key: read_idx(path) for key, path in files.items()}
    return image_set(name, arrays, {key: str(path) for key, path in files.items()}, classes)


def load_official(name: str, url: str, md5: dict[str, str], data_dir: Path | None) -> DataSet:
    """Read a published data set of ten classes, whose four files have the names of MNIST's.

    Args:
        name: registered name, with underscores.
        url: folder on the web, with a slash at its end.
        md5: the MD5 sums of the four gzipped files, by the keys of `OFFICIAL_FILES`.
        data_dir: the user's --data-dir, or None.

    Returns:
        The data set.

    Raises:
        UserError: a file is missing and cannot be downloaded, or is not the published one.
    """
    folder = _folder_with(name, data_dir)
    files = {key: folder / file for key, file in OFFICIAL_FILES.items()}
    for key, path in files.items():
        if not path.is_file():
            if folder != download_folder(name):
                raise UserError(
                    f"data '{name}': {path} is missing beside the other files. "
                    f"Download {url}{path.name} and put it there"
                )
            download(url + path.name, path, md5[key])
        if folder == download_folder(name):
            fetch_again_where_damaged(url + path.name, path, md5[key])
        content = md5_of(path)
        if content != md5[key]:
            raise UserError(
                f"data '{name}': {path} is not the published file: md5 {content}, expected {md5[key]}. "
                f"Fetch it again from {url}{path.name}; for your own data of this format write --data idx:path={folder}"
            )
    return load_idx_files(name, files, classes=10)


def _folder_with(name: str, data_dir: Path | None) -> Path:
    """The first folder that holds any of the official files; where none does, the folder that they are downloaded
    to."""
    for folder in search_folders(name, data_dir):
        if any((folder / file).is_file() for file in OFFICIAL_FILES.values()):
            return folder
        unpacked = [folder / file.removesuffix(".gz") for file in OFFICIAL_FILES.values()]
        if all(path.is_file() for path in unpacked):
            raise UserError(
                f"data '{name}': {folder} holds the unpacked files, and checksums are known for the .gz files only. "
                f"Put those there, or write --data idx:path={folder}"
            )
    return download_folder(name)
