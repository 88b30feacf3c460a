"""A net of ten layers of 10,000 neurons: a local rule trains it some steps at a time, where BPTT runs out of memory.

    python benchmarks/large.py [--limit-gb 16] [--width 10000] [--depth 10] [--steps 100] [--batch 64] [--store]

Each system takes two training steps in a process of its own, which may not hold more than the limit: the local rule,
and backpropagation through time by neurorules and by snnTorch, all with plain gradient descent on the same input (784
inputs of which a tenth fires) and on all cores. --store writes docs/results/data/speed-large.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

from stored_table import keep

from neurorules.bench.peers import snntorch_step
from neurorules.bench.steps import Work, our_step, poisson
from neurorules.runs.memory import peak_memory_mb

LOCAL, AT_ONCE = "local_readout:errors=step", 10
SYSTEMS = (LOCAL, "bptt", "snnTorch BPTT")
NO_ROOM = ("not enough memory", "can't allocate memory", "MemoryError", "free memory", "bad_alloc")
"""Words of an error that says that memory did not suffice."""
COLUMNS = ("", "trains", "peak GB", "s a step", "processor s a step", "loss before", "loss after a step")


def train(system: str, sizes: tuple[int, int, int, int]) -> None:
    """Take two steps, and print their figures as JSON."""
    width, depth, steps, batch = sizes
    work = Work(*poisson(steps, batch), (width,) * depth, plain=True)
    step = snntorch_step(work) if system == SYSTEMS[2] else our_step(system, work, "by_layer")
    if system == LOCAL:
        step = our_step(system, work, str(AT_ONCE))
    losses, seconds, worked = [], [], []
    for _ in range(2):
        began, used = time.perf_counter(), time.process_time()
        answer = step()
        losses.append(answer["loss"] if isinstance(answer, dict) else answer)
        seconds.append(time.perf_counter() - began)
        worked.append(time.process_time() - used)
    print(json.dumps([peak_memory_mb() / 1024, seconds[1], worked[1], *losses]))


def tried(system: str, sizes: tuple[int, int, int, int], limit_gb: float) -> list[str]:
    """The row of one system."""
    most = int(limit_gb * 2**30)
    done = subprocess.run(
        [sys.executable, __file__, "--train", system, *map(str, sizes)], capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (most, most)),
    )  # fmt: skip
    if done.returncode == 0:
        peak, *seconds, before, after = json.loads(done.stdout)
        return [system, "yes", f"{peak:.1f}", *(f"{s:.1f}" for s in seconds), f"{before:.3f}", f"{after:.3f}"]
    if not any(words in done.stderr for words in NO_ROOM):
        raise RuntimeError(done.stderr)
    return [system, f"no, more than {limit_gb:g} GB", "-", "-", "-", "-", "-"]


def main() -> None:
    """Try every system, and print or store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("width", 10_000), ("depth", 10), ("steps", 100), ("batch", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--limit-gb", type=float, default=16)
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--train", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.train:
        system, width, depth, steps, batch = asked.train
        train(system, (int(width), int(depth), int(steps), int(batch)))
        return
    sizes = asked.width, asked.depth, asked.steps, asked.batch
    rows = []
    for system in SYSTEMS:
        rows.append(tried(system, sizes, asked.limit_gb))
        print(" | ".join(f"{name} {cell}" for name, cell in zip(COLUMNS, rows[-1], strict=True)).strip(), flush=True)
    if asked.store:
        keep(
            "speed-large",
            f"{asked.depth} layers of {asked.width} neurons, T = {asked.steps}, batch {asked.batch}; one run each",
            COLUMNS, rows,
        )  # fmt: skip


if __name__ == "__main__":
    main()
