"""CIFAR-10: 60,000 colour pictures of 32 x 32 pixels, ten classes (Krizhevsky 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._arrays import image_set
from neurorules.datasets._cifar import Archive, load_archive
from neurorules.datasets._files import search_folders
from neurorules.language.errors import UserError

ARCHIVE = Archive(
    "cifar-10-binary.tar.gz",
    "c32a1d4ab5d03f1284b67883e8d87530",  # the page's own table; the same in several independent loaders
    tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
    ("cifar-10-batches-bin/test_batch.bin",),
    label_bytes=1,
    classes=10,
)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
JPEG_ARCHIVE = "cifar10_jpeg_lossy.tar.xz"


@dataclass(frozen=True)
class Cifar10:
    """50,000 training and 10,000 test images (3, 32, 32), uint8.

    Args:
        copy: which pixels: "official", those published; or "jpeg", the same pictures after lossy compression (about
            30.5 dB), for machines that have no others. Report results on these as "CIFAR-10 (JPEG copy)".
    """

    copy: Literal["official", "jpeg"] = "official"

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the archive; the official one is downloaded where no folder holds it.

        Raises:
            UserError: the archive is missing, cannot be downloaded, or is not what it should be.
        """
        if self.copy == "official":
            return load_archive("cifar10", ARCHIVE, data_dir)
        # Pillow, which comes with matplotlib, is needed for nothing but decoding these.
        from neurorules.datasets._jpeg_folder import read_jpeg_archive

        for folder in search_folders("cifar10", data_dir):
            path = folder / JPEG_ARCHIVE
            if path.is_file():
                arrays = read_jpeg_archive(path, CLASSES)
                return image_set("cifar10:copy=jpeg", arrays, {key: f"{path} {key}" for key in arrays}, 10, "last")
        raise UserError(
            f"data 'cifar10:copy=jpeg': no folder holds {JPEG_ARCHIVE}. Name its folder with --data-dir, "
            "or leave copy=jpeg out"
        )


ENTRY = Cifar10
