"""CIFAR-100: 60,000 colour pictures of 32 x 32 pixels, a hundred classes (Krizhevsky 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._cifar import Archive, load_archive

ARCHIVE = Archive(
    "cifar-100-binary.tar.gz",
    "03b5dce01913d631647c71ecec9e9cb8",  # the page's own table; the same in several independent loaders
    ("cifar-100-binary/train.bin",),
    ("cifar-100-binary/test.bin",),
    label_bytes=2,  # coarse, fine: the last one is the class
    classes=100,
)


@dataclass(frozen=True)
class Cifar100:
    """50,000 training and 10,000 test images (3, 32, 32), uint8; the labels are the fine ones."""

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the archive, downloading it where no folder holds it.

        Raises:
            UserError: the archive is missing and cannot be downloaded, or is not the published one.
        """
        return load_archive("cifar100", ARCHIVE, data_dir)


ENTRY = Cifar100
