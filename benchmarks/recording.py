"""What recording the spikes of all layers costs: a 784-800-800 net, T = 8, batches of 128, with and without.

    python benchmarks/recording.py [--repetitions 15] [--threads N] [--density 0.2] [--json]
    python benchmarks/recording.py --files 0.1,0.02 [--repetitions 15]    what a file takes at these densities of spikes

Milliseconds mean little on a shared machine, so the two sides take turns and the ratio of their medians is printed:
`respond` (running the net) and `step` (training it), by the clock and by the processor's own time. All layers are the
net's own; `with_input` records the input's spikes as well, which the recorder does unless told otherwise. Where nobody
asks for a recording nothing of it is loaded, which is checked.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from neurorules import Learner

STEPS, BATCH, INPUTS = 8, 128, 784


def batch(density: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Input spikes (T, B, N) and labels."""
    generator = torch.Generator().manual_seed(0)
    spikes = (torch.rand(STEPS, BATCH, INPUTS, generator=generator) < density).float()
    return spikes, torch.randint(10, (BATCH,), generator=generator)


def learner(rule: str) -> Learner:
    """A fresh net."""
    return Learner("800-800", rule=rule, input_shape=(INPUTS,), classes=10, device="cpu")


def timed(what: str, sides: tuple[Callable[[], object], ...], repetitions: int) -> dict[str, float]:
    """Milliseconds without and with a recorder, and their ratio, by clock and by processor; the sides take turns."""
    for run in sides:
        run(), run()
    found: list[list[tuple[float, float]]] = [[] for _ in sides]
    for _ in range(repetitions):
        for run, times in zip(sides, found, strict=True):
            clock, processor = time.perf_counter(), time.thread_time()
            run()
            times.append((time.perf_counter() - clock, time.thread_time() - processor))
    (clock, own), (clock_with, own_with) = ([median(column) for column in zip(*times, strict=True)] for times in found)
    return {
        f"{what}_ms": 1000 * clock, f"{what}_recorded_ms": 1000 * clock_with, f"{what}_ratio": clock_with / clock,
        f"{what}_processor_ratio": own_with / own,
    }  # fmt: skip


def measure(rule: str, repetitions: int, density: float, folder: Path, with_input: bool) -> dict[str, float]:
    """Both ratios of a rule, and what the file takes."""
    from neurorules import Recorder  # not before what is loaded without it has been seen

    spikes, labels = batch(density)
    bare, recorded = learner(rule), learner(rule)
    path = folder / "traces.h5"
    with Recorder(recorded, path, ["S"], None if with_input else ["hidden1", "hidden2"]) as recorder:
        run = timed("respond", (lambda: bare.respond(spikes), lambda: recorder.record(spikes)), repetitions)
        train = timed(
            "step", (lambda: bare.step(spikes, labels), lambda: recorder.step(spikes, labels)), repetitions
        )  # fmt: skip
        activity = recorded.respond(spikes).activity
        rates = [float(a.S.values.mean()) for a in activity[:-1]]
    samples = 2 * (repetitions + 2) * BATCH
    shares = {"rate_hidden1": rates[0], "rate_hidden2": rates[1], "bytes_a_sample": path.stat().st_size / samples}
    return run | train | shares


def measure_file(rate: float, repetitions: int, folder: Path) -> dict[str, float]:
    """What a file of 1,000 samples of 1,000 neurons takes, T = 100, in batches of 50: bytes, and processor time."""
    import numpy as np

    from neurorules.traces.header import TraceHeader
    from neurorules.traces.store import TraceReader
    from neurorules.traces.writer import TraceWriter

    samples, share, steps, neurons = 1000, 50, 100, 1000
    spikes = (np.random.default_rng(0).random((steps, share, neurons), np.float32) < rate).astype(np.float32)
    path = folder / "file.h5"
    times: dict[str, list[float]] = {"recording_ms_a_sample": [], "reading_ms_a_sample": []}
    for _ in range(repetitions):
        path.unlink(missing_ok=True)
        start = time.process_time()
        with TraceWriter(path, TraceHeader("x", {"a": (neurons,)})) as writer:
            for _ in range(samples // share):
                writer.append_batch(np.arange(share), np.zeros(share, int), {"a": {"S": spikes}})
        written = time.process_time()
        with TraceReader(path) as reader:
            for sample in reader:
                reader.events(sample.position, "a")
        ends = (written - start, time.process_time() - written)
        for seconds, row in zip(ends, times.values(), strict=True):
            row.append(1000 * seconds / samples)
    return {"bytes_a_sample": path.stat().st_size / samples} | {name: min(row) for name, row in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--density", type=float, default=0.2, help="of the input's spikes")
    parser.add_argument("--files", default="", help="densities of spikes: measure a file of each, and no net")
    parser.add_argument("--rules", default="sigprop,dfa,bptt")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    if given.files:
        with tempfile.TemporaryDirectory() as folder:
            rates = [float(text) for text in given.files.split(",")]
            print(json.dumps({rate: measure_file(rate, given.repetitions, Path(folder)) for rate in rates}, indent=1))
        return
    learner("shallow").step(*batch(given.density))
    loaded = [name for name in sys.modules if name.startswith("neurorules.traces") or name == "h5py"]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for rule in given.rules.split(","):
            for name, with_input in ((rule, False), (f"{rule} with_input", True)):
                found[name] = measure(rule, given.repetitions, given.density, Path(folder), with_input)
    if given.json:
        print(json.dumps(found))
        return
    print(f"loaded before anybody asks to record: {', '.join(loaded) or 'nothing'}")
    for rule, row in found.items():
        print(rule, *(f"{name} {value:.3g}" for name, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()
