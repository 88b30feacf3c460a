"""Pictures as JPEG files in an archive, `<split>/<class>/<number>.jpg`. They are decoded once, and cached as arrays."""

from __future__ import annotations

import io
import logging
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from neurorules.datasets._damage import is_hidden, reading
from neurorules.datasets._files import md5_of
from neurorules.disk.cache import cache_path
from neurorules.disk.cache_folder import cache_folder
from neurorules.language.errors import UserError

log = logging.getLogger(__name__)
SPLITS = ("train", "test")


def read_jpeg_archive(path: Path, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read the pictures of an archive.

    Args:
        path: the path of the archive, packed in any way that tarfile reads.
        classes: names of the folders, in the order of the class indices.

    Returns:
        Images x_train and x_test, (N, H, W, 3) uint8, in the order of their paths; and labels y_train and y_test, (N,)
        int64.

    Raises:
        UserError: the archive cannot be read, or holds no pictures of these classes.
    """
    decoded: dict[str, np.ndarray] = {}

    def make(target: Path) -> None:
        decoded.update(_decode(path, classes))
        np.savez(target, **decoded)  # type: ignore[arg-type]

    try:
        stored = cache_path(cache_folder() / "decoded", md5_of(path), ".npz", make)
    except OSError as error:
        log.warning(f"decoded pictures cannot be kept in {cache_folder()} ({error.strerror}): each run decodes its own")
        return decoded or _decode(path, classes)
    if decoded:
        return decoded
    with np.load(stored, allow_pickle=False) as arrays:
        return dict(arrays)


def _decode(path: Path, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Give these arrays, decoded from the archive itself."""
    pictures: dict[str, list[tuple[str, int, np.ndarray]]] = {split: [] for split in SPLITS}
    with reading(str(path), "Fetch it again"), tarfile.open(path) as archive:
        for member in archive:
            *_, split, label, file = ("", "", *member.name.split("/"))
            if split not in SPLITS or label not in classes or not file.endswith(".jpg") or is_hidden(member.name):
                continue
            content = archive.extractfile(member)
            if content is None:  # a folder of that name
                continue
            with Image.open(io.BytesIO(content.read())) as picture:
                pictures[split].append((member.name, classes.index(label), np.asarray(picture.convert("RGB"))))
    sizes = {image.shape for part in pictures.values() for _, _, image in part}
    if len(sizes) > 1:
        raise UserError(f"{path}: holds pictures of different sizes: {sorted(sizes)}. Bring them to one size")
    if not all(pictures.values()):
        raise UserError(f"{path}: holds no pictures <split>/<class>/<number>.jpg. Check that it is the right file")
    arrays: dict[str, np.ndarray] = {}
    for split, part in pictures.items():
        part.sort(key=lambda picture: picture[0])
        arrays[f"x_{split}"] = np.stack([image for _, _, image in part])
        arrays[f"y_{split}"] = np.array([label for _, label, _ in part], dtype=np.int64)
    return arrays
