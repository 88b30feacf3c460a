"""Spiking Speech Commands: spoken words as spikes of a model cochlea (Cramer et al. 2022), in files of yours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._heidelberg import read_heidelberg
from neurorules.language.ranges import Steps, ranged

CLASSES = 35


@ranged("data set 'ssc'")
@dataclass(frozen=True)
class Ssc:
    """Recordings of 35 spoken words on 700 channels: ssc_train.h5 and ssc_test.h5 as published.

    The published validation part, ssc_valid.h5, is not read: --validation holds training samples out.
    The default encoder counts spikes in bins of 10 ms; a recording lasts up to 1.4 s.

    Args:
        path: the folder; `none` looks for `ssc` in --data-dir, NEURORULES_DATA and the cache folder.
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
        return read_heidelberg("ssc", CLASSES, self.path, data_dir, self.frames, self.shuffled)

    def own_steps(self, data_dir: Path | None = None) -> int | None:
        """The option `frames`; nothing is read."""
        return self.frames


ENTRY = Ssc
