"""Yin-Yang: points in three parts of a disc (Kriener, Göltz, Petrovici 2022), latency coded; drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from neurorules.contracts.data_set import DataSet, content_checksum
from neurorules.datasets._synthetic import Samples
from neurorules.language.ranges import Whole, ranged

SEEDS = {"train": 42, "test": 40}
"""Those of the published samples, which `seed=0` draws."""
RADIUS, DOT = 0.5, 0.1
"""Radii of the disc and of its two dots."""


@ranged("data set 'yin_yang'")
@dataclass(frozen=True)
class YinYang:
    """Points (x, y) of a disc as five values x, y, 1 - x, 1 - y and 1: of class yin (0), yang (1) or dots (2).

    The encoder `latency` lets each value spike once, the largest first; the fifth value spikes at the first step in
    all samples, as the time that the others are told from. No class can be told from one value alone, and none from
    spike counts.

    Args:
        train, test: numbers of samples.
        seed: 0 draws the published samples.
        shuffled: a control: every value of every sample, and with it the time of its spike, is drawn anew.

    Source: Kriener, Göltz, Petrovici 2022, NICE, https://arxiv.org/abs/2102.08211; the classes are drawn with equal
    probability.
    """

    train: Samples = 5000
    test: Samples = 1000
    seed: Whole = 0
    shuffled: bool = False

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Draw all samples; `data_dir` is not used."""
        parts = [array for part in SEEDS for array in self._part(part)]
        return DataSet(
            name="yin_yang",
            kind="images",
            shape=(1, 1, 5),
            classes=3,
            train=parts[0],
            train_labels=parts[1],
            test=parts[2],
            test_labels=parts[3],
            checksum=content_checksum(*parts),
            default_encoder="latency",
            class_names=("yin", "yang", "dots"),
            origin=f"drawn from seed {self.seed}" + (", times drawn anew" if self.shuffled else ""),
        )

    def _part(self, part: str) -> tuple[Float[np.ndarray, "N 1 1 5"], Int[np.ndarray, "N"]]:
        # NumPy promises this older stream never to change, unlike that of default_rng.
        first = SEEDS[part]
        random = np.random.RandomState([first, self.seed] if self.seed else first)
        count = self.train if part == "train" else self.test
        points, labels = np.empty((count, 2)), np.empty(count, np.int64)
        for number in range(count):
            labels[number] = random.randint(3)
            points[number] = _point_of(int(labels[number]), random)
        if self.shuffled:
            points = random.random_sample((count, 4))
        else:
            points = np.concatenate([points, 1 - points], axis=1)
        values = np.concatenate([points, np.ones((count, 1))], axis=1).astype(np.float32)
        return values.reshape(count, 1, 1, 5), labels


def class_of(x: float, y: float) -> int:
    """The class of a point of the disc, whose centre is (0.5, 0.5) and whose radius is 0.5.

    Args:
        x, y: the point.

    Returns:
        0 for yin, 1 for yang, 2 for the dots.
    """
    left, right = np.hypot(x - 0.5 * RADIUS, y - RADIUS), np.hypot(x - 1.5 * RADIUS, y - RADIUS)
    if left < DOT or right < DOT:
        return 2
    yang = right <= DOT or DOT < left <= 0.5 * RADIUS or (y > RADIUS and right > 0.5 * RADIUS)
    return int(yang)


def _point_of(label: int, random: np.random.RandomState) -> Float[np.ndarray, "2"]:
    while True:
        point: np.ndarray = random.rand(2) * 2 * RADIUS
        if np.hypot(*(point - RADIUS)) <= RADIUS and class_of(*point) == label:
            return point


ENTRY = YinYang
