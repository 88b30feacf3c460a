"""Memory by which training steps grow a process, its input apart; each measurement has a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from neurorules.bench.peers import PEERS
from neurorules.bench.steps import Step, Work, our_step, poisson
from neurorules.runs.allocator import keep_freed_memory
from neurorules.runs.memory import PeakMemory

STATUS = Path("/proc/self/status")
BY_LAYER = "by_layer"
WARM_STEPS = 2
"""T of the short trial that is learned first, so that libraries and kernels are loaded, and optimisers allocated."""


def growth_of(
    system: str, hidden: Sequence[int], steps: int, batch_size: int,
    activity: float = 0.1, schedule: str = BY_LAYER, device: str = "cpu",
) -> float | None:  # fmt: skip
    """Measure, in a process of its own with one thread, by how much two training steps raise the peak of its memory.

    It depends on no other process, so it may be measured on a busy machine.

    Args:
        system: another library, as in `PEERS`, or a rule with its options.
        hidden: sizes of the hidden layers.
        steps, batch_size: T and B.
        activity: mean share of the inputs that fire in a step.
        schedule: the order in which a rule computes layers and steps; other libraries have one order.
        device: cpu, whose memory is the resident set of the process (Linux), or cuda, whose memory is what torch
            allocates.

    Returns:
        MB; None if the process could not take these steps, because there is not enough memory, or if this system does
        not tell.
    """
    if device == "cpu" and not STATUS.exists():
        return None
    arguments = json.dumps([system, list(hidden), steps, batch_size, activity, schedule, device])
    done = subprocess.run([sys.executable, "-m", __name__, arguments], capture_output=True, text=True)
    return float(done.stdout) if done.returncode == 0 else None


def grown_mb(
    system: str, hidden: Sequence[int], steps: int, batch_size: int, activity: float, schedule: str, device: str
) -> float:
    """Take two training steps, and find by how many MB they raised the peak of this process.

    Args:
        system, hidden, steps, batch_size, activity, schedule, device: as in `growth_of`.

    Returns:
        MB, of this process from here on.
    """

    def prepared(length: int) -> Step:
        spikes, labels = poisson(length, batch_size, rate=activity)
        work = Work(spikes.to(device), labels.to(device), tuple(hidden))
        return PEERS[system][1](work) if system in PEERS else our_step(system, work, schedule)

    prepared(min(WARM_STEPS, steps))()
    step = prepared(steps)
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(), step()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    peak = PeakMemory()
    before_mb = peak.mb()
    step(), step()
    return peak.mb() - before_mb


if __name__ == "__main__":
    torch.set_num_threads(1)
    keep_freed_memory()
    print(grown_mb(*json.loads(sys.argv[1])))
