"""A small data set that knows which of its samples are read, and when: an entry of the registry for tests.

Sample i has the label i mod 3, and its own number in its first pixel. `changed` ones have other pixels and labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.contracts.data_set import DataSet

CLASSES, PIXELS, TRAINING, TEST = 3, 6, 26, 10
READS: list[tuple[str, list[int]]] = []
"""Parts and the samples read of them, in order of time."""


class Recorded(np.ndarray):
    """Images that write down what is read of them; a selection of them does so too."""

    part: str
    numbers: np.ndarray

    def __getitem__(self, key: Any) -> Any:
        found = np.asarray(self)[key]
        if isinstance(key, np.ndarray | slice):
            READS.append((self.part, self.numbers[key].tolist()))
            return recorded(found, self.part, self.numbers[key])
        return found


def recorded(values: np.ndarray, part: str, numbers: np.ndarray) -> Recorded:
    """Images of a part with the numbers of its samples."""
    images = values.view(Recorded)
    images.part, images.numbers = part, numbers
    return images


@dataclass(frozen=True)
class RecordedData:
    """The data set.

    Args:
        changed: numbers of training samples joined by -, whose pixels and labels are others.
        test: whether those of the test samples are as well.
    """

    changed: str = ""
    test: bool = False

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Made anew, and nothing of it is read yet."""
        READS.clear()
        random = np.random.default_rng(7)
        parts = {"train": TRAINING, "test": TEST}
        images, labels = {}, {}
        for part, count in parts.items():
            values = random.random((count, 1, 1, PIXELS), dtype=np.float32)
            values[:, 0, 0, 0] = np.arange(count) / TRAINING
            labels[part] = np.arange(count) % CLASSES
            which = [int(number) for number in self.changed.split("-") if number] if part == "train" else []
            if part == "test" and self.test:
                which = list(range(count))
            values[which] = 30 - 50 * values[which]
            labels[part][which] = (labels[part][which] + 1) % CLASSES
            images[part] = recorded(values, part, np.arange(count))
        return DataSet(
            "recorded", "images", (1, 1, PIXELS), CLASSES, images["train"], labels["train"], images["test"],
            labels["test"], checksum="0", default_encoder="constant",
        )  # fmt: skip


ENTRY = RecordedData
