"""Memory, time and size of exporting many spikes, by format.

    python benchmarks/export_memory.py [--spikes 10000000] [--samples 2000] [--neurons 1000] [--to npz,...] [--graded]
    python benchmarks/export_memory.py --spikes 3840 --samples 12 --neurons 64 --to nix      a small recording

The trace has T = 50 steps, one layer of spikes and a membrane of 10 neurons. MB is the largest resident set of a
process that does nothing but import neurorules and export (VmHWM; of Linux); `empty` exports a trace of one spike, and
so says what the format's library takes alone. NIX stores a train a neuron and sample, 0.02 to 0.05 s each, so it is
asked for a train a layer and sample. Processor seconds are the process's own, which other programs hardly change; they
include the import of the format's library.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from neurorules.traces.exporters import exporters
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter

STEPS, WATCHED = 50, 10

EXPORT = """
import sys, time
from pathlib import Path
from neurorules.traces.exporters import export
started, before = time.perf_counter(), time.process_time()
export(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
seconds, own = time.perf_counter() - started, time.process_time() - before
with open("/proc/self/status", encoding="ascii") as file:
    print(next(float(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024, seconds, own)
"""


def write_trace(path: Path, spikes: int, samples: int, neurons: int, graded: bool) -> int:
    """Write a trace of about so many spikes, of value 1 or of other values each; returns how many there are."""
    random = np.random.default_rng(0)
    rate = spikes / (samples * STEPS * neurons)
    if not 0 < rate <= 1:
        raise SystemExit(f"{spikes} spikes do not fit {samples} samples of {STEPS} steps and {neurons} neurons")
    layers = {"hidden1": (neurons,), "watched": (WATCHED,)}
    many = 0
    with TraceWriter(path, TraceHeader("sigprop", layers, units={"v": "threshold"})) as writer:
        for sample in range(samples):
            array = random.random((STEPS, neurons), np.float32) < rate
            many += int(array.sum())
            membrane = random.random((STEPS, WATCHED), np.float32)
            values = array * random.random((STEPS, neurons), np.float32) if graded else array
            writer.append(sample, sample % 10, {"hidden1": {"S": values}, "watched": {"v": membrane}})
    return many


def measure(trace: Path, to: str, folder: Path) -> dict[str, float]:
    """MB, seconds and processor seconds of one export in a process of its own, and MB of what it wrote."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        out = Path(place) / f"out.{to.partition(':')[0]}"
        command = [sys.executable, "-c", EXPORT, str(trace), to, str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"export to {to} failed:\n{done.stderr[-2000:]}")
        peak, seconds, own = map(float, done.stdout.split())
        size = sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file()) / 2**20
    return {"mb": peak, "seconds": seconds, "processor_seconds": own, "size_mb": size}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spikes", type=int, default=10_000_000)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--neurons", type=int, default=1000)
    formats = ",".join("nix:trains=layer" if name == "nix" else name for name in exporters.names())
    parser.add_argument("--to", default=formats)
    parser.add_argument("--graded", action="store_true", help="spikes of values between 0 and 1")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        started = time.perf_counter()
        many = write_trace(folder / "many.h5", asked.spikes, asked.samples, asked.neurons, asked.graded)
        print(f"{many} spikes written in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        write_trace(folder / "empty.h5", 1, 1, asked.neurons, asked.graded)
        rows = {}
        for to in asked.to.split(","):
            rows[to] = measure(folder / "many.h5", to, folder)
            empty = measure(folder / "empty.h5", to, folder)
            rows[to] |= {"empty_mb": empty["mb"], "empty_processor_seconds": empty["processor_seconds"]}
            if not asked.json:
                row = rows[to]
                print(
                    f"{to:18} {row['mb']:6.0f} MB (empty {row['empty_mb']:4.0f} MB) {row['seconds']:7.1f} s"
                    f"  of processor {row['processor_seconds']:7.2f} s"
                    f" (empty {row['empty_processor_seconds']:5.2f} s)  written {row['size_mb']:7.1f} MB",
                    flush=True,
                )
    if asked.json:
        print(json.dumps({"spikes": many, "formats": rows}))


if __name__ == "__main__":
    main()
