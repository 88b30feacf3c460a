"""Event recordings: reading, binning and caching them beside a plain read of their bytes; the input's share of a step.

    python benchmarks/event_data.py [--recordings 3000] [--turns 5] [--json]

A copy of N-MNIST in its official layout is drawn, Train/<digit>/<index>.bin with events of 5 bytes, about 4,000 in each
recording. A turn reads all its files as bytes, reads them as recordings, bins them into frames that are written to one
file, and opens that file again, each in the same order; files come from the system's page cache. Seconds are those that
the processor worked, threads together, so that neighbours count little. What matters is the ratio to the plain read.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from neurorules import Learner
from neurorules.contracts.data_set import Recordings
from neurorules.datasets.nmnist import EVENT_BYTES, SENSOR, read_part
from neurorules.encoders import open_encoder
from neurorules.torch_path.training.batches import Part

EVENTS, LAST_US = (3000, 5000), 300_000
STEPS, BATCH, NET, TRIALS = 10, 128, "400", 20
PLAIN, READ, BIN, AGAIN = "plain read of all files", "read as recordings", "bin and cache", "open the cache again"


def draw(folder: Path, recordings: int) -> None:
    """Write recordings of random events in ascending times."""
    random = np.random.default_rng(0)
    for digit in range(10):
        (folder / "Train" / str(digit)).mkdir(parents=True)
    for number in range(recordings):
        events = int(random.integers(*EVENTS))
        time_us = np.sort(random.integers(0, LAST_US, events))
        raw = np.empty((events, EVENT_BYTES), np.uint8)
        raw[:, 0], raw[:, 1] = random.integers(0, SENSOR[2], (2, events))
        raw[:, 2] = random.integers(0, 2, events) << 7 | time_us >> 16
        raw[:, 3], raw[:, 4] = time_us >> 8 & 255, time_us & 255
        (folder / "Train" / str(number % 10) / f"{number + 1:05d}.bin").write_bytes(raw.tobytes())


def plain(folder: Path) -> int:
    """Read the bytes of all files; their number."""
    size = 0
    for digit in os.scandir(folder / "Train"):
        for entry in os.scandir(digit):
            with open(entry.path, "rb", buffering=0) as file:
                size += len(file.read())
    return size


def turn(folder: Path, cache: Path) -> tuple[dict[str, float], Part]:
    """Processor seconds of each part of one turn, and the samples that it leaves."""
    seconds: dict[str, float] = {}

    def timed(what: str, call: Callable[[], Any]) -> Any:
        began = time.process_time()
        answer = call()
        seconds[what] = time.process_time() - began
        return answer

    timed(PLAIN, lambda: plain(folder))
    recordings, labels, _ = timed(READ, lambda: read_part(folder, "Train"))
    encoder = open_encoder("frames", "events")
    shutil.rmtree(cache, ignore_errors=True)

    def frames(samples: Recordings) -> np.ndarray:
        prepared: np.ndarray = encoder.prepare(samples, STEPS, cache)
        return prepared

    timed(BIN, lambda: frames(recordings))
    return seconds, Part(timed(AGAIN, lambda: frames(recordings)), labels, encoder, STEPS)


def share_of_input(part: Part) -> tuple[float, float]:
    """Median milliseconds of the processor for a batch from the cache, and for learning from it."""
    learner = Learner(NET, rule="sigprop", input_shape=SENSOR, classes=10, steps=STEPS, device="cpu")
    random, times = np.random.default_rng(0), []
    for _ in range(TRIALS):
        chosen = random.permutation(len(part))[:BATCH]
        began = time.process_time()
        drive, targets = part.batch(chosen, torch.Generator())
        read = time.process_time()
        learner.step(drive, targets)
        times.append((1e3 * (read - began), 1e3 * (time.process_time() - read)))
    batch, step = zip(*times[TRIALS // 4 :], strict=True)
    return median(batch), median(step)


def main() -> None:
    """Draw the copy, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=3000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "nmnist")
        draw(folder, asked.recordings)
        megabytes = plain(folder) / 1e6
        turns, parts = zip(*(turn(folder, Path(place, "cache")) for _ in range(asked.turns)), strict=True)
        batch_ms, step_ms = share_of_input(parts[-1])
    rows = {
        what: {"s": median(t[what] for t in turns), "to plain": median(t[what] / t[PLAIN] for t in turns)}
        for what in turns[0]
    }
    both = [t[READ] + t[BIN] for t in turns]
    rows["all of the first run"] = {
        "s": median(both), "to plain": median(b / t[PLAIN] for b, t in zip(both, turns, strict=True))
    }  # fmt: skip
    figures = {"megabytes": megabytes, "rows": rows, "batch_ms": batch_ms, "step_ms": step_ms}
    if asked.json:
        print(json.dumps(figures))
        return
    print(f"{asked.recordings} recordings, {megabytes:.0f} MB; processor seconds, and to the plain read")
    for what, row in rows.items():
        print(f"{what:28s} {row['s']:7.3f} {row['to plain']:6.2f}")
    share = batch_ms / (batch_ms + step_ms)
    print(f"a batch from the cache {batch_ms:.2f} ms, learning from it {step_ms:.2f} ms: {100 * share:.0f} % is input")


if __name__ == "__main__":
    main()
