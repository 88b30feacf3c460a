"""Convolutions whose cost follows the spikes, beside dense ones: against activity, and in training steps on MNIST.

    python benchmarks/event_maps.py [--repetitions 15] [--threads 1] [--store]
    python benchmarks/event_maps.py --steps [--store]
    python benchmarks/event_maps.py --costs      # the numbers by which `connections/_map_products.py` chooses

What is compared takes turns, and medians are printed of the ratios of two times of one turn. Times are those of the
processor. A dense step is the same training with the event-driven convolutions switched off.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import prod

import numpy as np
import torch
from scipy.optimize import nnls
from stored_table import keep
from torch import Tensor
from torch.nn import functional, grad

from neurorules import Learner
from neurorules.bench.turns import Turns
from neurorules.commands.output import print_table
from neurorules.connections._map_products import CHANGE, CURRENT, Costs, most_events, work_of
from neurorules.connections.conv2d import Conv2d
from neurorules.contracts.series import Series
from neurorules.datasets import DATASETS
from neurorules.native.events import maps
from neurorules.native.events.reach import Convolved
from neurorules.runs.allocator import keep_freed_memory

ACTIVITIES = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5)
ROWS, MAPS, OUTPUTS, SIDE = 128, 16, 32, 14
"""The second convolution of the net of the steps, four steps of time of 32 samples."""
SMALL, WIDE = "c16k3-n-p2-c32k3-n-p2-128", "c32k3-n-c64k3-n-p2-c64k3-n-p2-128"
NETS = {SMALL: ("sigprop", "dfa", "bptt"), WIDE: ("sigprop", "dfa", "bptt")}
STEPS, BATCH = 4, 32
SHAPES = (
    (128, 16, 14, 32, 3, 1), (128, 1, 28, 16, 3, 1), (128, 2, 34, 16, 5, 1), (128, 32, 7, 64, 3, 1),
    (64, 64, 8, 64, 3, 1), (128, 16, 14, 32, 3, 2), (64, 32, 16, 32, 5, 1), (64, 128, 4, 128, 3, 1),
    (16, 2, 128, 16, 5, 2), (128, 2, 34, 32, 3, 1), (32, 64, 16, 64, 3, 1), (256, 8, 14, 16, 3, 1),
    (64, 16, 28, 8, 3, 1), (128, 64, 8, 128, 1, 1), (128, 1, 28, 16, 5, 2), (16, 16, 32, 32, 3, 1),
)  # fmt: skip
"""Rows, maps, their side, outputs, side of the kernel and stride at which costs are measured."""


@contextmanager
def dense() -> Iterator[None]:
    """Inside the block, nothing is convolved by its events."""
    before, maps.serves = maps.serves, lambda values: False
    try:
        yield
    finally:
        maps.serves = before


def poisson(rows: int, channels: int, side: int, activity: float) -> Tensor:
    """Independent spikes, (rows, channels, side, side)."""
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(rows, channels, side, side, generator=generator) < activity).float()


def in_turns(calls: dict[str, Callable[[], object]], repetitions: int) -> Turns:
    """Times of the processor of calls that take turns."""
    return Turns(calls, repetitions, clock=time.process_time)


def densely(call: Callable[[], object]) -> Callable[[], object]:
    """The same call without events."""

    def run() -> object:
        with dense():
            return call()

    return run


def at_activity(activity: float, repetitions: int) -> list[float]:
    """Ratios of dense to event-driven time of both products of one convolution, as a net calls them."""
    connection, s = Conv2d(OUTPUTS, 3), poisson(ROWS, MAPS, SIDE, activity)
    w, post = torch.randn(OUTPUTS, MAPS, 3, 3), torch.randn(ROWS, OUTPUTS, SIDE, SIDE)
    products = {"forward": lambda: connection.current(w, s), "dW": lambda: connection.correlate(w, post, s)}
    turns = in_turns(products | {f"dense {name}": densely(call) for name, call in products.items()}, repetitions)
    return [turns.ratio(f"dense {name}", name) for name in products]


def of_rule(net: str, rule: str, repetitions: int) -> list[float]:
    """A training step on images of MNIST, (B, 1, 28, 28) as a constant current: dense to event-driven time."""
    data = DATASETS.make("mnist").load()
    pixels, labels = torch.as_tensor(data.train[:BATCH]).float() / 255, torch.as_tensor(data.train_labels[:BATCH])
    images = Series((pixels - pixels.mean()) / pixels.std(), True)
    one, other = (Learner(net, rule, input_shape=(1, 28, 28), classes=10, steps=STEPS) for _ in range(2))
    calls = {"step": lambda: one.step(images, labels), "dense": densely(lambda: other.step(images, labels))}
    turns = in_turns(calls, repetitions)
    return [turns.ms("dense"), turns.ms("step"), turns.ratio("dense", "step")]


def sizes_of(channels: int, side: int, outputs: int, kernel: int, stride: int) -> Convolved:
    """A convolution of squares whose border is half a kernel."""
    out = (side + 2 * (kernel // 2) - kernel) // stride + 1
    pairs = ((n, n) for n in (kernel, stride, kernel // 2, 1))
    return Convolved(channels, (side, side), outputs, (out, out), 1, *pairs)


def of_shape(shape: tuple[int, ...], repetitions: int) -> tuple[Convolved, dict[str, float]]:
    """Milliseconds of both products of a shape, dense ones and by events at each activity, such as "change 0.1"."""
    rows, channels, side, outputs, kernel, stride = shape
    sizes = sizes_of(channels, side, outputs, kernel, stride)
    w = torch.randn(outputs, channels, kernel, kernel)
    post = torch.randn(rows, outputs, *sizes.out_sides)
    calls: dict[str, Callable[[], object]] = {}
    for activity in ACTIVITIES:
        s = poisson(rows, channels, side, activity)
        calls[f"current {activity}"] = partial(maps.current, s, w, sizes, s.sum().item())
        calls[f"change {activity}"] = partial(maps.change, post, s, sizes, s.sum().item())
    how = sizes.strides, sizes.borders
    calls["dense current"] = lambda: functional.conv2d(s, w, None, *how)
    calls["dense change"] = lambda: grad.conv2d_weight(s, list(w.shape), post, *how)
    turns = in_turns(calls, repetitions)
    return sizes, {name: turns.ms(name) for name in calls}


def fitted(columns: Sequence[Sequence[float]], ms: Sequence[float]) -> list[float]:
    """Costs, none below zero, that give these times with the least relative errors."""
    scaled = np.asarray(columns) / np.asarray(ms)[:, None]
    largest = scaled.max(0)
    return list(nnls(scaled / largest, np.ones(len(ms)))[0] / largest)


def print_costs(repetitions: int) -> None:
    """Print the costs that fit best, the largest activity for an event-driven product, and dense to event-driven time
    at each activity."""
    measured = [(shape[0], *of_shape(shape, repetitions)) for shape in SHAPES]
    parts = [work_of(n, z, 0) for n, z, _ in measured]
    sums = [work.move * z.channels * prod(z.kernel) for work, (_, z, _) in zip(parts, measured, strict=True)]
    moved = [work.move for work in parts]
    for name, costs in (("current", CURRENT), ("change", CHANGE)):
        dense_ms = [ms[f"dense {name}"] for *_, ms in measured]
        addition, move = fitted(list(zip(sums, moved, strict=True)), dense_ms)
        works = [
            work_of(n, z, a * work.look) for work, (n, z, _) in zip(parts, measured, strict=True) for a in ACTIVITIES
        ]
        times = [ms[f"{name} {a}"] for *_, ms in measured for a in ACTIVITIES]
        best = Costs(*(float(cost / addition) for cost in fitted(works, times)))
        best = best._replace(move=best.move - move / addition)
        print(f"{name}: {1e6 * addition:.4f} ns for a dense multiply-add")
        print("; ".join(f"{field} {cost:.2f}" for field, cost in best._asdict().items()))
        table = []
        for (n, z, ms), shape, work in zip(measured, SHAPES, parts, strict=True):
            ratios = [f"{ms[f'dense {name}'] / ms[f'{name} {a}']:.2f}" for a in ACTIVITIES]
            table.append(
                [" x ".join(map(str, shape)), f"{100 * max(most_events(n, z, costs), 0) / work.look:.0f} %", *ratios]
            )
        print_table([name, "most", *(f"{a:.0%}" for a in ACTIVITIES)], table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", action="store_true", help="training steps on MNIST instead of one convolution")
    parser.add_argument("--costs", action="store_true", help="what each part of a product costs, and nothing else")
    parser.add_argument("--store", action="store_true", help="keep the table for docs/results/speed.md")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_freed_memory()
    if asked.costs:
        print_costs(asked.repetitions)
        return
    if asked.steps:
        name, columns = "speed-convolution-steps", ["net, rule", "ms, dense", "ms, by events", "dense to events"]
        table = [
            [f"`{net}`, {rule}", *(f"{n:.2f}" for n in of_rule(net, rule, asked.repetitions))]
            for net, rules in NETS.items() for rule in rules
        ]  # fmt: skip
    else:
        name, columns = (
            "speed-convolution",
            ["activity of the input", "forward, dense to events", "dW, dense to events"],
        )
        table = [[f"{100 * a:.0f} %", *(f"{n:.2f}" for n in at_activity(a, asked.repetitions))] for a in ACTIVITIES]
    print_table(columns, table)
    if asked.store:
        note = (
            f"medians over {asked.repetitions} turns of the ratio of two times of the processor, {asked.threads} thread"
        )
        keep(name, note, columns, table)


if __name__ == "__main__":
    main()
