"""Neurodata Without Borders: a Units table, a TimeSeries for each other variable, and a trials table.

Each neuron is a unit, with columns `layer` and `neuron`; times in seconds on one axis, sample i from i (T + gap) dt on,
spikes of step k at (k + 1/2) dt. `resolution` is dt. NWB Inspector objects to equal times in a train, so a count of 2
to 100 is as many spikes, spread evenly within its step: floor(t / resolution) is the step, and the spikes in it are the
count. Any other value is one spike with an entry in the column `spike_values`, which is left out if all values are 1.
Membranes (unit "threshold") are in volts, resting at 0: divided by `scale` in the series' comments they are the
trace's. Trials: sample, index, label, prediction, names of both. The header is in `notes`, the subject a simulation's
stand-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neurorules.language.ranges import Positive, Whole, ranged
from neurorules.traces.exporters._extra import require
from neurorules.traces.exporters._units import volts_per_threshold
from neurorules.traces.store import TraceReader


@ranged("exporter 'nwb'")
@dataclass(frozen=True)
class Nwb:
    """Writes traces as NWB files.

    Args:
        volts_per_threshold: the number of volts between rest and threshold, > 0; by default that of the trace, or else
            20 mV.
        gap_steps: the number of steps between two samples in which nothing is observed, >= 0.
    """

    volts_per_threshold: Positive | None = None
    gap_steps: Whole = 0

    def __call__(self, reader: TraceReader, out: Path) -> list[Path]:
        """Write all of `reader` to the file `out`.

        Raises:
            MissingExtra: pynwb is not installed.
        """
        require("nwb", "nwb", "pynwb")
        from neurorules.traces.exporters import _nwb_file

        _nwb_file.write(reader, out, volts_per_threshold(reader, self.volts_per_threshold), self.gap_steps)
        return [out]


ENTRY = Nwb
