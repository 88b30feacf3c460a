"""Conversion of steps to times. In every format an event of step k is at the middle of it, t = (k + 1/2) dt.

Rounding can therefore not move a spike to a neighbouring step: k = floor(t / dt), and each bin of width dt contains
exactly the spikes of its step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurorules.traces.store import TraceReader


@dataclass(frozen=True)
class Axis:
    """One axis of time on which the samples follow each other.

    Args:
        steps: T, steps per sample.
        gap: steps between two samples in which nothing is observed.
        dt: length of a step, in the unit of all times.
    """

    steps: int
    gap: int
    dt: float

    def first(self, sample: np.ndarray) -> np.ndarray:
        """The step on the axis with which samples begin."""
        return sample.astype(np.int64) * (self.steps + self.gap)

    def intervals(self, samples: int) -> np.ndarray:
        """The begin and the end of each sample, (n, 2)."""
        first = self.first(np.arange(samples))
        return np.stack([first, first + self.steps], axis=1) * self.dt

    def observed(self, samples: int) -> np.ndarray:
        """(k, 2) begin and end of the observed intervals; a single one if there are no gaps between samples."""
        intervals = self.intervals(samples)
        return intervals if self.gap or not samples else np.array([[intervals[0, 0], intervals[-1, 1]]])


def seconds(reader: TraceReader) -> float:
    """The length of a step in seconds; dt_ms / 1000 is the double nearest to what a user would write."""
    return reader.header.dt_ms / 1000


def middle_ms(reader: TraceReader, rows: int) -> np.ndarray:
    """The middles of a variable's rows in ms since the beginning of the sample, (rows,); one row per step if rows =
    T.
    """
    return (np.arange(rows) + 0.5) * (reader.header.dt_ms * (reader.steps / rows if rows else 1.0))
