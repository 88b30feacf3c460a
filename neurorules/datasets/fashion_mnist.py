"""Fashion-MNIST: 70,000 pictures of clothes of 28 x 28 pixels, ten classes (Xiao, Rasul, Vollgraf 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._idx import load_official

URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"

# The md5 of the authors' own table (github.com/zalandoresearch/fashion-mnist, README), the same in torchvision and in
# several independent loaders. They were compared as texts: the files themselves were not at hand.
MD5 = {
    "x_train": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "y_train": "25c81989df183df01b3e8a0aad5dffbe",
    "x_test": "bef4ecab320f06d8554ea6380940ec79",
    "y_test": "bb300cfdad3c16e7a12a480ee83cd310",
}


@dataclass(frozen=True)
class FashionMnist:
    """60,000 training and 10,000 test images (1, 28, 28), uint8, in the published order."""

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the four gzipped idx files, downloading them where no folder holds them.

        Raises:
            UserError: a file is missing and cannot be downloaded, or is not the published one.
        """
        return load_official("fashion_mnist", URL, MD5, data_dir)


ENTRY = FashionMnist
