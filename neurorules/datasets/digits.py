"""The handwritten digits that scikit-learn brings along: 1,797 real images of 8 x 8 pixels, without a download."""

from __future__ import annotations

import gzip
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from neurorules.contracts.data_set import DataSet, content_checksum

TEST_SAMPLES = 360  # a fifth of 1,797
SPLIT_SEED = 0
BRIGHTEST = 16.0  # grey levels are 0..16: black pixels counted in blocks of 4 x 4


@dataclass(frozen=True)
class Digits:
    """1,437 training and 360 test images (1, 8, 8), float32 in 0..1. The split is fixed, and each class has
    the same share of both parts.

    Source: Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI: its test
    part, of 13 writers. Digits of one writer stand in both parts here, so accuracies are not those for new writers.
    """

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the images out of the installed scikit-learn; `data_dir` is not used."""
        pixels, labels = read_bundled()
        images = (pixels / BRIGHTEST).astype(np.float32).reshape(-1, 1, 8, 8)
        labels = labels.astype(np.int64)
        in_test = split_mask(labels)
        parts = images[~in_test], labels[~in_test], images[in_test], labels[in_test]
        return DataSet(
            name="digits",
            kind="images",
            shape=(1, 8, 8),
            classes=10,
            train=parts[0],
            train_labels=parts[1],
            test=parts[2],
            test_labels=parts[3],
            checksum=content_checksum(*parts),
            default_encoder="constant",
        )


def read_bundled() -> tuple[Shaped[np.ndarray, "N 64"], Shaped[np.ndarray, "N"]]:
    """Pixels, 0..16, and labels of all 1,797 images, as scikit-learn's `load_digits` gives them.

    The file is read directly where it lies in its usual place, since importing `sklearn.datasets` takes longer than a
    small training run.
    """
    spec = importlib.util.find_spec("sklearn")
    for root in (spec.submodule_search_locations or []) if spec else []:
        table = Path(root) / "datasets" / "data" / "digits.csv.gz"
        if table.is_file():
            with gzip.open(table, "rt") as lines:
                rows = np.loadtxt(lines, delimiter=",")
            return rows[:, :-1], rows[:, -1]
    from sklearn.datasets import load_digits  # its file lies elsewhere in this release

    pixels, labels = load_digits(return_X_y=True)
    return pixels, labels


def split_mask(labels: Shaped[np.ndarray, "N"]) -> Shaped[np.ndarray, "N"]:
    """Whether each sample is for testing: `TEST_SAMPLES` of them, shared among the classes by largest remainders."""
    share = np.bincount(labels) * (TEST_SAMPLES / len(labels))
    counts = np.floor(share).astype(int)
    counts[np.argsort(counts - share, kind="stable")[: TEST_SAMPLES - counts.sum()]] += 1
    random = np.random.RandomState(SPLIT_SEED)  # NumPy promises this older stream never to change, unlike default_rng's
    mask = np.zeros(len(labels), dtype=bool)
    for digit, count in enumerate(counts):
        mask[random.permutation(np.flatnonzero(labels == digit))[:count]] = True
    return mask


ENTRY = Digits
