"""Products and training steps whose cost follows the spikes, beside dense ones and snnTorch, against activity.

    python benchmarks/events.py [--repetitions 15] [--threads 1] [--store] [--json]
    python benchmarks/events.py --costs      # the numbers by which `connections/_products.py` chooses

Milliseconds mean little on a shared machine: what is compared takes turns, and medians are printed of the ratios of
two times of one turn. A dense step is the same training with the event-driven products switched off. --store writes
the table of docs/results/speed.md (docs/results/data/speed-events.json; then `make figures`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from stored_table import keep
from torch import Tensor

from neurorules.bench.peers import snntorch_step
from neurorules.bench.steps import INPUTS, Work, our_step, poisson
from neurorules.bench.turns import Turns
from neurorules.commands.output import print_table
from neurorules.connections._products import correlated, most_events, times_transposed, times_weights
from neurorules.native import events
from neurorules.runs.allocator import keep_freed_memory

STEPS, BATCH, RULE = 25, 128, "sigprop:form=surrogate"
ACTIVITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
SHAPES = ((3200, 784, 1000), (3200, 784, 100), (3200, 1000, 10), (128, 784, 1000), (500, 300, 300), (1000, 5000, 500))
"""Rows, inputs and outputs at which the choice is looked at."""


@contextmanager
def dense() -> Iterator[None]:
    """Inside the block, nothing is multiplied by its events."""
    before, events.serves = events.serves, lambda tensor: False
    try:
        yield
    finally:
        events.serves = before


def at_activity(activity: float, repetitions: int) -> dict[str, float]:
    """Ratios of times at one activity: dense product to event-driven one, and steps to snnTorch's."""
    work = Work(*poisson(STEPS, BATCH, rate=activity))
    rows = work.spikes.flatten(0, 1)
    w, post = torch.randn(*work.hidden, INPUTS), torch.randn(len(rows), *work.hidden)
    step, plain, peer = our_step(RULE, work), our_step(RULE, work), snntorch_step(work)

    def dense_step() -> None:
        with dense():
            plain()

    calls: dict[str, Callable[[], object]] = {
        "forward": lambda: times_weights(rows, w), "dense forward": lambda: times_transposed(rows, w),
        "dW": lambda: correlated(post, rows), "dense dW": lambda: times_transposed(post.T, rows.T),
        "step": step, "dense step": dense_step, "snnTorch": peer,
    }  # fmt: skip
    turns = Turns(calls, repetitions)
    return {
        "forward, dense / ours": turns.ratio("dense forward", "forward"),
        "dW, dense / ours": turns.ratio("dense dW", "dW"),
        "step, dense / ours": turns.ratio("dense step", "step"),
        "step / snnTorch": turns.ratio("step", "snnTorch"),
        "dense step / snnTorch": turns.ratio("dense step", "snnTorch"),
    }


def at_the_limit(shape: tuple[int, int, int], repetitions: int) -> dict[str, float]:
    """Dense to event-driven time with as many spikes as the choice allows, and what the numbers of the choice are."""
    rows, inputs, outputs = shape
    activity = min(most_events(rows, inputs, outputs) / (rows * inputs), 1.0)
    s = (torch.rand(rows, inputs, generator=torch.Generator().manual_seed(1)) < max(activity, 0.02)).float()
    w, post = torch.randn(outputs, inputs), torch.randn(rows, outputs)
    calls: dict[str, Callable[[], object]] = {
        "forward": lambda: events.current(listed(s), w), "dense forward": lambda: times_transposed(s, w),
        "dW": lambda: events.correlation(post, listed(s)), "dense dW": lambda: times_transposed(post.T, s.T),
        "listing": lambda: listed(s),
    }  # fmt: skip
    turns = Turns(calls, repetitions)
    each = turns.ms("dense forward") / (rows * inputs * outputs)  # of a dense multiply-add
    return {
        "most, %": 100 * activity,
        "forward, dense / events": turns.ratio("dense forward", "forward"),
        "dW, dense / events": turns.ratio("dense dW", "dW"),
        "dense, ms": turns.ms("dense forward"),
        "look at a value": turns.ms("listing") / (rows * inputs) / each,
        "rest, an addition": (turns.ms("forward") - turns.ms("listing")) / (int(s.count_nonzero()) * outputs) / each,
    }


def listed(s: Tensor) -> events.Lists:
    """All values that are not 0, however many there are."""
    lists = events.listed(s, s.numel())
    assert lists is not None
    return lists


def store(table: dict[str, dict[str, float]], repetitions: int, threads: int) -> None:
    """Keep the table, a row an activity of the input."""
    titles = [name.replace(" / ours", " to events").replace(" / ", " to ") for name in next(iter(table.values()))]
    rows = [[at.replace("%", " %"), *(f"{value:.2f}" for value in row.values())] for at, row in table.items()]
    note = f"{threads} thread(s); medians over {repetitions} turns of the ratio of two times of one turn"
    keep("speed-events", note, ["activity of the input", *titles], rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--costs", action="store_true", help="products at the borders of the choice, and nothing else")
    parser.add_argument("--store", action="store_true", help="write docs/results/data/speed-events.json")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_freed_memory()
    if asked.costs:
        table = {" x ".join(map(str, shape)): at_the_limit(shape, asked.repetitions) for shape in SHAPES}
    else:
        table = {f"{activity:.0%}": at_activity(activity, asked.repetitions) for activity in ACTIVITIES}
        if asked.store:
            store(table, asked.repetitions, asked.threads)
    if asked.json:
        print(json.dumps({"table": table, "threads": asked.threads}))
    else:
        columns = list(next(iter(table.values())))
        print_table(["", *columns], [[at, *(f"{row[name]:.2f}" for name in columns)] for at, row in table.items()])


if __name__ == "__main__":
    main()
