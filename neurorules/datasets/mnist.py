"""MNIST: 70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes, Burges 1998)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._idx import load_official

URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"

# The md5 that torchvision and many others publish; checked against a complete copy of the four original files.
MD5 = {
    "x_train": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "y_train": "d53e105ee54ea40749a09fcbcd1e9432",
    "x_test": "9fb629c4189551a2d022fa330f9573f3",
    "y_test": "ec29112dd5afa0611ce80d1b7f02629c",
}


@dataclass(frozen=True)
class Mnist:
    """60,000 training and 10,000 test images (1, 28, 28), uint8, in the published order."""

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the four gzipped idx files, downloading them where no folder holds them.

        Raises:
            UserError: a file is missing and cannot be downloaded, or is not the published one.
        """
        return load_official("mnist", URL, MD5, data_dir)


ENTRY = Mnist
