"""Exports pass spikes on block by block: many more spikes take no more memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter

STEPS, NEURONS = 50, 400
FEW, MANY = 80, 220
MORE = (MANY - FEW) * STEPS * NEURONS

# Blocks are made small, so that one is little beside the trace. VmHWM is the most memory ever held, in kB.
EXPORT_BOTH = """
import sys
from pathlib import Path
from neurorules.traces.exporters import _by_neuron, csv, export
from neurorules.traces import blocks
blocks.SIZE = 1 << 14
_by_neuron.trains.__defaults__, _by_neuron.BLOCK = (1 << 19,), 1 << 14
csv.ROWS = 1 << 14
if sys.argv[2] == "parquet":
    from neurorules.traces.exporters import _arrow
    _arrow.ROWS = 1 << 14
folder = Path(sys.argv[1])
for size in ("few", "many"):
    export(folder / f"{size}.h5", sys.argv[2], folder / f"{size}.{sys.argv[2]}")
    with open("/proc/self/status", encoding="ascii") as file:
        print(next(line.split()[1] for line in file if line.startswith("VmHWM")))
"""


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two traces, one of many more spikes."""
    folder = tmp_path_factory.mktemp("traces")
    always = np.ones((STEPS, NEURONS), np.float32)
    for size, samples in (("few", FEW), ("many", MANY)):
        with TraceWriter(folder / f"{size}.h5", TraceHeader("x", {"a": (NEURONS,)})) as writer:
            for sample in range(samples):
                writer.append(sample, 0, {"a": {"S": always}})
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("to", ["npz", "csv", "parquet", "events", "sonata", "nirdata", "nwb"])
def test_memory_does_not_grow_with_the_spikes(traces: Path, to: str) -> None:
    command = [sys.executable, "-c", EXPORT_BOTH, str(traces), to]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    few, many = (int(line) / 1024 for line in done.stdout.split())
    # Held at once they take 20 bytes each as they are read. HDF5 fills free lists of some 40 MB before it frees any.
    assert many - few < MORE * 12 / 2**20, f"{few:.0f} MB, then {many:.0f} MB"
