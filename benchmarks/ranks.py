"""One rank on one core beside two ranks on two cores: seconds of learning, and the bytes that a batch sends.

    python benchmarks/ranks.py [RULE] [NET] [BATCH_SIZE] [--store]

Two ranks either share every batch (by_layer), or have some of the layers each (pipelined). Batches are drawn, so that
nothing is read or encoded. The settings take turns, and a ratio is that of their fastest turns. The time of a batch is
that of many in a row, from the first one to the last one that the last layer has learned, divided by their number. It
means something on two quiet cores alone. --store writes docs/results/data/speed-ranks.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

from stored_table import keep

TURNS, STEPS, WARM = 3, 30, 5
CASES = (
    ("by_layer", "sigprop", "1000", "256"), ("by_layer", "sigprop", "1000", "512"),
    ("by_layer", "sigprop", "800-800-800", "256"),
    ("pipelined", "sigprop", "800-800-800", "256"), ("pipelined", "sigprop", "500-500-500-500", "256"),
    ("pipelined", "local_readout", "800-800-800", "256"),
)  # fmt: skip
"""Schedule on two ranks, rule, net and batch size of each row."""


def measure(schedule: str, rule: str, net: str, batch_size: int) -> None:
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
        settings: dict[str, Any] = {"rule": rule, "schedule": "by_layer" if ranks is None else schedule}
        learner = neurorules.Learner(net, input_shape=(784,), classes=10, steps=25, device="cpu", **settings)
        for _ in range(WARM):
            learner.push(drive, labels)
        learner.flush()
        sent = _sent(learner, ranks)
        started = time.perf_counter()
        for _ in range(STEPS):
            learner.push(drive, labels)
        learner.flush()
        milliseconds = 1e3 * (time.perf_counter() - started) / STEPS
        if ranks is None or ranks.first:
            print(json.dumps({"ms": milliseconds, "sent": (_sent(learner, ranks) - sent) / STEPS, **_use(learner)}))


def _sent(learner: Any, ranks: Any) -> float:
    """The bytes that this rank has sent, without what its layers have learned where it gives that to the others."""
    if ranks is None:
        return 0
    return learner.pipe.use.sent_bytes if learner.pipe is not None else ranks.sent_bytes


def _use(learner: Any) -> dict[str, Any]:
    """The layers of each rank, and the share of its time in which it waited."""
    from neurorules.torch_path.training.rank_pipe import RankPipe
    from neurorules.torch_path.training.use_of_ranks import use_of_ranks

    return use_of_ranks(learner.pipe) if isinstance(learner.pipe, RankPipe) else {}


def started(ranks: int, settings: tuple[str, ...]) -> dict[str, Any]:
    """What one turn gives."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(ranks)] if ranks > 1 else []
    command = [sys.executable, *launcher, __file__, "--measure", *settings]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result: dict[str, Any] = json.loads(answer.strip().splitlines()[-1])
    return result


def row_of(settings: tuple[str, ...]) -> list[str]:
    """Measure one rank and two in turn, and print and return what they give."""
    turns = [(started(1, settings), started(2, settings)) for _ in range(TURNS)]
    one, two = (min((turn[i] for turn in turns), key=lambda each: each["ms"]) for i in (0, 1))
    ratio, sent = one["ms"] / two["ms"], two["sent"] / 1e6
    schedule, words = settings[0], " ".join(settings[1:])
    print(f"{schedule} {words}: one rank {one['ms']:.2f} ms a batch, two ranks {two['ms']:.2f} ms, {ratio:.2f} times")
    print(f"    the first rank sent {sent:.2f} MB a batch", end="")
    layers = "each has a share of the batch"
    if "layers" in two:
        layers = " / ".join(", ".join(names) for names in two["layers"])
        waiting = ", ".join(f"{100 * share:.0f} %" for share in two["waiting"])
        times = ", ".join(f"{name} {ms:.1f} ms" for name, ms in two["layer_ms"].items())
        print(f"; layers {layers}; waiting {waiting}; {times}", end="")
    print()
    return [f"{schedule}, {words}", layers, f"{one['ms']:.1f}", f"{two['ms']:.1f}", f"{ratio:.2f}", f"{sent:.2f}"]


def main() -> None:
    """Measure all cases, or both schedules for the user's rule, net and batch size."""
    given = [word for word in sys.argv[1:] if word != "--store"]
    own = (*given, *("sigprop", "1000", "256")[len(given) :])
    cases = [("by_layer", *own), ("pipelined", *own)] if given else CASES
    rows = [row_of(case) for case in cases]
    if "--store" in sys.argv:
        note = f"the fastest of {TURNS} turns; the load average at the end was {os.getloadavg()[0]:.1f}"
        columns = ["two ranks", "layers", "one rank, ms", "two ranks, ms", "times as fast", "MB sent"]
        keep("speed-ranks", note, columns, rows)


if __name__ == "__main__":
    if "--measure" in sys.argv:
        measure(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
    else:
        main()
