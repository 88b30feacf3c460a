"""One rank on one core beside two ranks on two cores: seconds of learning, and the bytes that a step sends.

    python benchmarks/ranks.py [RULE] [NET] [BATCH_SIZE] [--store]

Batches are drawn, so that nothing is read or encoded. The time of a step is the median of many; the two settings take
turns, and the ratio is that of their fastest turns. It means something on two quiet cores alone. --store writes
docs/results/data/speed-ranks.json.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time

from stored_table import keep

TURNS, STEPS, WARM = 3, 30, 5


def measure(rule: str, net: str, batch_size: int) -> None:
    """Learn in one rank, and print what the first one measured as one JSON line."""
    import torch

    import neurorules

    torch.set_num_threads(1)
    rank = int(os.environ.get("RANK", "0"))
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[rank % len(cores)]})
    draws = torch.Generator().manual_seed(0)
    drive = neurorules.Series((torch.rand(25, batch_size, 784, generator=draws) < 0.1).float(), False)
    labels = torch.randint(0, 10, (batch_size,), generator=draws)
    with neurorules.over_ranks() as ranks:
        learner = neurorules.Learner(net, rule=rule, input_shape=(784,), classes=10, steps=25, device="cpu")
        seconds = []
        for _ in range(WARM + STEPS):
            started = time.perf_counter()
            learner.step(drive, labels)
            seconds.append(time.perf_counter() - started)
        sent = 0 if ranks is None else ranks.sent_bytes / len(seconds)
        if ranks is None or ranks.first:
            print(json.dumps({"step_ms": 1e3 * statistics.median(seconds[WARM:]), "sent_bytes_per_step": sent}))


def started(ranks: int, settings: list[str]) -> dict[str, float]:
    """What one turn gives."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(ranks)] if ranks > 1 else []
    command = [sys.executable, *launcher, __file__, "--measure", *settings]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result: dict[str, float] = json.loads(answer.strip().splitlines()[-1])
    return result


def main() -> None:
    """Measure both settings in turn, and print each and their ratio."""
    given = [word for word in sys.argv[1:] if word != "--store"]
    settings = [*given, *("sigprop", "1000", "256")[len(given) :]]
    turns = [(started(1, settings), started(2, settings)) for _ in range(TURNS)]
    one, two = (min(turn[i]["step_ms"] for turn in turns) for i in (0, 1))
    sent = turns[0][1]["sent_bytes_per_step"]
    print(f"{' '.join(settings)}: one rank {one:.2f} ms a step, two ranks {two:.2f} ms, {one / two:.2f} times as fast")
    print(f"{sent / 1e6:.2f} MB handed to sums in a step, by each rank; {len(os.sched_getaffinity(0))} cores")
    if "--store" in sys.argv:
        row = [" ".join(settings), f"{one:.1f}", f"{two:.1f}", f"{one / two:.2f}", f"{sent / 1e6:.2f}"]
        note = f"the fastest of {TURNS} turns; the load average at the end was {os.getloadavg()[0]:.1f}"
        columns = ["rule, net, batch", "one rank, ms", "two ranks, ms", "times as fast", "MB sent in a step"]
        keep("speed-ranks", note, columns, [row])


if __name__ == "__main__":
    if "--measure" in sys.argv:
        measure(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
