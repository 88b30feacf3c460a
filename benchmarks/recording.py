"""What recording the spikes of all layers costs: a 784-800-800 net, T = 8, batches of 128, with and without.

    python benchmarks/recording.py [--repetitions 15] [--threads N] [--density 0.2] [--json]

Milliseconds mean little on a shared machine, so the two sides take turns and the ratio of their medians is printed:
`respond` (running the net) and `step` (training it). Input spikes are recorded as well. Where nobody asks for a
recording nothing of it is loaded, which is checked.
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


def timed(sides: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """Median seconds of each side; they take turns."""
    for run in sides.values():
        run(), run()
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repetitions):
        for name, run in sides.items():
            started = time.perf_counter()
            run()
            found[name].append(time.perf_counter() - started)
    return {name: median(values) for name, values in found.items()}


def measure(rule: str, repetitions: int, density: float, folder: Path) -> dict[str, float]:
    """Both ratios of a rule, and what the file takes."""
    from neurorules import Recorder  # not before what is loaded without it has been seen

    spikes, labels = batch(density)
    bare, recorded = learner(rule), learner(rule)
    path = folder / "traces.h5"
    with Recorder(recorded, path, ["S"]) as recorder:
        run = timed({"bare": lambda: bare.respond(spikes), "with": lambda: recorder.record(spikes)}, repetitions)
        train = timed(
            {"bare": lambda: bare.step(spikes, labels), "with": lambda: recorder.step(spikes, labels)}, repetitions
        )
        activity = recorded.respond(spikes).activity
        rates = [float(a.S.values.mean()) for a in activity[:-1]]
    samples = 2 * (repetitions + 2) * BATCH
    return {
        "respond_ms": 1000 * run["bare"], "respond_recorded_ms": 1000 * run["with"],
        "respond_ratio": run["with"] / run["bare"], "step_ms": 1000 * train["bare"],
        "step_recorded_ms": 1000 * train["with"], "step_ratio": train["with"] / train["bare"],
        "rate_hidden1": rates[0], "rate_hidden2": rates[1], "bytes_a_sample": path.stat().st_size / samples,
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--density", type=float, default=0.2, help="of the input's spikes")
    parser.add_argument("--rules", default="sigprop,dfa,bptt")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    learner("shallow").step(*batch(given.density))
    loaded = [name for name in sys.modules if name.startswith("neurorules.traces") or name == "h5py"]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for rule in given.rules.split(","):
            found[rule] = measure(rule, given.repetitions, given.density, Path(folder))
    if given.json:
        print(json.dumps(found))
        return
    print(f"loaded before anybody asks to record: {', '.join(loaded) or 'nothing'}")
    for rule, row in found.items():
        print(rule, *(f"{name} {value:.3g}" for name, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()
