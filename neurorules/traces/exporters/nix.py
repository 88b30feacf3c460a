"""NIX, through Neo: the format that Elephant and Neo's own tools read with `neo.io.NixIO(path).read_block()`.

One Block, with a Segment for each sample, whose annotations are data_index, label and prediction. A segment has a
SpikeTrain for each neuron, from 0 to T dt, spikes of step k at (k + 1/2) dt, with `layer` and `neuron` as annotations
and an array annotation `value` if a spike is not 1. Membranes are AnalogSignals in mV, other variables dimensionless.
The block's annotation `header` is the trace's. NIX makes an object of every train and of every neuron's signal, about
0.002 s and 5 kB each: `nix:trains=layer` writes one train for each layer and sample, with each spike's neuron as an
array annotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neurorules.language.ranges import Positive, ranged
from neurorules.traces.exporters._extra import require
from neurorules.traces.exporters._units import volts_per_threshold
from neurorules.traces.store import TraceReader


@ranged("exporter 'nix'")
@dataclass(frozen=True)
class Nix:
    """Writes traces as NIX files, through Neo.

    Args:
        volts_per_threshold: the number of volts between rest and threshold, > 0; by default that of the trace, or else
            20 mV.
        trains: a spike train for each neuron, or one for each layer.
    """

    volts_per_threshold: Positive | None = None
    trains: Literal["neuron", "layer"] = "neuron"

    def __call__(self, reader: TraceReader, out: Path) -> list[Path]:
        """Write the whole trace to the file `out`.

        Raises:
            MissingExtra: neo or nixio is not installed.
        """
        require("nix", "neo", "neo", "nixio")
        from neurorules.traces.exporters import _neo_block

        millivolts = 1000 * volts_per_threshold(reader, self.volts_per_threshold)
        _neo_block.write(reader, out, millivolts, self.trains == "layer")
        return [out]


ENTRY = Nix
