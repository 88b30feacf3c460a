"""The idx format of MNIST, and the data sets published in it.

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats": two zero bytes, a
type code, the number of dimensions, each dimension as a big-endian uint32, then the values, big-endian.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from neurorules.datasets._arrays import image_set
from neurorules.datasets._files import download, download_folder, fetch_again_where_damaged, md5_of, search_folders
from neurorules.datasets._shared import DataSet
from neurorules.language.errors import UserError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

OFFICIAL_FILES = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}


def read_idx(path: Path) -> np.ndarray:
    """The array of one idx file, gzipped or not (its first bytes tell), in the machine's byte order.

    Raises:
        UserError: unreadable, broken gzip, wrong magic number, or a length that is not what the header says.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: the gzip file is broken ({error}). Fetch it again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Check the path and its permissions") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES or content[3] == 0:
        begin = content[:4].hex(" ") or "nothing"
        raise UserError(
            f"{path}: is no idx file: it begins with {begin}, not with 00 00 08 and the number of dimensions. "
            "Check that it is the right file"
        )
    kind, dimensions = np.dtype(TYPES[content[2]]), content[3]
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise UserError(f"{path}: is cut short inside its header, at {len(content)} of {header} bytes. Fetch it again")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    expected = header + math.prod(shape) * kind.itemsize
    if len(content) != expected:
        state = "is cut short" if len(content) < expected else "is too long"
        raise UserError(
            f"{path}: {state}: {len(content)} bytes, but its header {shape} asks for {expected}. Fetch it again"
        )
    return np.frombuffer(content, dtype=kind, offset=header).reshape(shape).astype(kind.newbyteorder("="), copy=False)


def load_idx_files(name: str, files: dict[str, Path], classes: int | None) -> DataSet:
    """The data set of four idx files, by the keys x_train, y_train, x_test, y_test."""
    arrays = {key: read_idx(path) for key, path in files.items()}
    return image_set(name, arrays, {key: str(path) for key, path in files.items()}, classes)


def load_official(name: str, url: str, md5: dict[str, str], data_dir: Path | None) -> DataSet:
    """A published data set of ten classes in the four files of MNIST's names.

    Args:
        name: registered name, with underscores.
        url: folder on the web, with a slash at its end.
        md5: of the four gzipped files, by the keys of `OFFICIAL_FILES`.
        data_dir: the user's --data-dir, or None.

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
        found = md5_of(path)
        if found != md5[key]:
            raise UserError(
                f"data '{name}': {path} is not the published file: md5 {found}, expected {md5[key]}. "
                f"Fetch it again from {url}{path.name}; for your own data of this format write --data idx:path={folder}"
            )
    return load_idx_files(name, files, classes=10)


def _folder_with(name: str, data_dir: Path | None) -> Path:
    """The first folder that holds any of the official files; else the one to download to."""
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
