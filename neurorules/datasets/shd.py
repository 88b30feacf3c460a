"""Spiking Heidelberg Digits: spoken digits as spikes of a model cochlea (Cramer et al. 2022), in files of yours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._heidelberg import read_heidelberg
from neurorules.language.ranges import Steps, ranged

CLASSES = 20


@ranged("data set 'shd'")
@dataclass(frozen=True)
class Shd:
    """Recordings of spoken digits, German and English, on 700 channels: shd_train.h5 and shd_test.h5 as published.

    Two of the twelve speakers stand in the test part alone. Two splits circulate, of 8,156 and 2,264 recordings and
    of 8,332 and 2,088: what is tested is what the files hold.
    The default encoder counts spikes in bins of 10 ms; a recording lasts up to 1.4 s.

    Args:
        path: the folder; `none` looks for `shd` in --data-dir, NEURORULES_DATA and the cache folder.
        frames: number of time steps, such as 100; `none` leaves it to --steps.
        shuffled: a control: the time of every spike is drawn anew between the first and the last of its recording, so
            that each channel keeps the number of its spikes.

    Source: Cramer, Stradmann, Schemmel, Zenke 2022, IEEE Transactions on Neural Networks and Learning Systems 33:2744,
    https://doi.org/10.1109/TNNLS.2020.3044364.
    """

    path: str | None = None
    frames: Steps | None = None
    shuffled: bool = False

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the files of both parts.

        Raises:
            UserError: a file is missing, packed, damaged, or of another layout.
        """
        return read_heidelberg("shd", CLASSES, self.path, data_dir, self.frames, self.shuffled)

    def own_steps(self, data_dir: Path | None = None) -> int | None:
        """The option `frames`; nothing is read."""
        return self.frames


ENTRY = Shd
