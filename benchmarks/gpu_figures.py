"""The figures of `benchmarks/gpu.py`: scans, training steps, what they wait for, memory, and MNIST."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

import neurorules
from neurorules import Learner
from neurorules.bench.steps import CLASSES, INPUTS, Work, bare_products, poisson
from neurorules.bench.turns import wait_for
from neurorules.native import scans as kernels
from neurorules.native.scans import Affine, Psi, PsiShape, Reset, Through, Total, dispatch
from neurorules.rules import RULES
from neurorules.torch_path.training.graphed import GRAPHS, as_cuda_graph

Figure = tuple[str, str, str]
"""What was measured, its value, its unit; the unit `failed` where it could not be had, and then the value says why."""


class Size(NamedTuple):
    """How much is measured.

    Args:
        steps, batch, hidden: of a training step.
        long: T of the memory that grows with it or does not.
        repeats: of each figure, of which the median counts.
        epochs: of MNIST.
        rules: whose steps are measured; all if empty.
    """

    steps: int
    batch: int
    hidden: int
    long: int
    repeats: int
    epochs: int
    rules: tuple[str, ...] = ()


LARGE = Size(steps=25, batch=128, hidden=1000, long=400, repeats=30, epochs=3)
SMALL = Size(steps=2, batch=4, hidden=8, long=4, repeats=2, epochs=0, rules=("sigprop", "bptt"))


def figures(device: str, size: Size, data: Path | None) -> Iterator[Figure]:
    """Every figure in turn; one that fails says why and does not end the others."""
    made = poisson(size.steps, size.batch)
    batch = made[0].to(device), made[1].to(device)
    yield from _guarded("scans", lambda: scans(batch[0], size))
    yield from _guarded("bare products", lambda: products(batch, size))
    for rule in size.rules or RULES.names():
        yield from _guarded(f"step of {rule}", lambda rule=rule: steps_of(rule, batch, size))
    yield from _guarded("memory", lambda: memory(size, device))
    if size.epochs:
        yield from _guarded("MNIST", lambda: mnist(size, device, data))


def _guarded(name: str, measure: Callable[[], Iterator[Figure]]) -> Iterator[Figure]:
    try:
        yield from measure()
    except Exception as failed:
        yield name, f"{type(failed).__name__}: {str(failed)[:300]}", "failed"


def milliseconds(work: Callable[[], object], device: torch.device, repeats: int, calls: int = 1) -> str:
    """Median time of a call, the device's work included, measured over `calls` in a row."""
    for _ in range(4):
        work()
    found = []
    for _ in range(repeats):
        wait_for(device)
        started = time.perf_counter()
        for _ in range(calls):
            work()
        wait_for(device)
        found.append((time.perf_counter() - started) / calls)
    return f"{1000 * median(found):.3g}"


def scans(spikes: Tensor, size: Size) -> Iterator[Figure]:
    """Both scans with everything a rule asks of them: the chosen kernels, and plain torch."""
    device = spikes.device
    current = torch.randn(size.steps, size.batch, size.hidden, device=device)
    each = torch.rand(size.hidden, device=device)
    psi, affine = Psi(PsiShape.BOXCAR, 2.0, 0.5), Affine(each, each, each, each)

    def forward() -> kernels.Scan:
        return kernels.scan(
            current, size.steps, 0.9, 1.0, Reset.SUBTRACT, affine=affine, spike_total=True, total=Total.GRADED,
            psi=psi, moments=True,
        )  # fmt: skip

    v, way = forward().v, Through(current, Affine(each, each, each), each, each)

    def backward() -> kernels.Reverse:
        return kernels.reverse(current, size.steps, 0.9, Reset.SUBTRACT, v=v, psi=psi, through=way)

    shape, chosen = f"T = {size.steps}, {size.batch} x {size.hidden}", dispatch._kernels
    for name, work in (("scan", forward), ("reverse scan", backward)):
        yield f"{name}, {shape}: compiled", milliseconds(work, device, size.repeats, 10), "ms"
        if device.type == "cuda":
            graph = as_cuda_graph(lambda work=work: [work() for _ in range(10)])[1]
            graphed = float(milliseconds(graph, device, size.repeats)) / 10
            yield f"{name}, {shape}: compiled, without its launch", f"{graphed:.3g}", "ms"
        dispatch._kernels = lambda tensor: None  # type: ignore[assignment]
        try:
            yield f"{name}, {shape}: plain torch", milliseconds(work, device, size.repeats), "ms"
        finally:
            dispatch._kernels = chosen


def products(batch: tuple[Tensor, Tensor], size: Size) -> Iterator[Figure]:
    """The five products of backpropagation through time: what a step cannot do without."""
    step = bare_products(Work(*batch))
    yield "bare products of a step of bptt", milliseconds(step, batch[0].device, size.repeats, 10), "ms"


def steps_of(rule: str, batch: tuple[Tensor, Tensor], size: Size) -> Iterator[Figure]:
    """A step that is waited for, one of many in a queue, the same as a CUDA graph, and what a queued one waits for."""
    steps = min(size.steps, RULES.make(rule).defaults.steps) if RULES.make(rule).defaults.steps == 1 else size.steps
    spikes, labels = batch[0][:steps], batch[1]
    device = spikes.device

    def made() -> Learner:
        settings = {"input_shape": (INPUTS,), "classes": CLASSES, "steps": steps, "device": device.type}
        return Learner(str(size.hidden), rule, **settings)  # type: ignore[arg-type]

    learner = made()
    yield f"step of {rule}", milliseconds(lambda: learner.step(spikes, labels), device, size.repeats), "ms"
    queued = milliseconds(lambda: learner.push(spikes, labels), device, max(size.repeats // 10, 1), 10)
    yield f"step of {rule}, queued", queued, "ms"
    if device.type == "cuda":
        yield f"waits of a queued step of {rule}", str(waits(lambda: learner.push(spikes, labels))), "times"
        played = made()
        played.recorder.usable = True
        recorded = milliseconds(lambda: played.push(spikes, labels), device, max(size.repeats // 10, 1), 10)
        if not played.recorder.recorded:
            raise RuntimeError(f"trials of {rule} could not be recorded")
        yield f"step of {rule}, queued, as a CUDA graph", recorded, "ms"


def waits(work: Callable[[], object]) -> int:
    """How often the host waits for the GPU, as far as torch can tell."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            work()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("called a synchronizing" in str(warning.message) for warning in caught)


def memory(size: Size, device: str) -> Iterator[Figure]:
    """What a step of sigprop adds to the memory of the GPU, its input left out."""
    if device != "cuda":
        return
    for steps in (size.steps, size.long):
        for schedule in ("by_layer", "by_step"):
            spikes, labels = (value.to(device) for value in poisson(steps, size.batch))
            learner = Learner(
                str(size.hidden), "sigprop", input_shape=(INPUTS,), classes=CLASSES, device=device, schedule=schedule
            )
            learner.step(spikes, labels)
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            learner.step(spikes, labels)
            grown = (torch.cuda.max_memory_allocated() - before) / 2**20
            yield f"memory of a step of sigprop, {schedule}, T = {steps}", f"{grown:.0f}", "MB"


@contextmanager
def recording(graphs: bool) -> Iterator[None]:
    """Whether learners that are made inside the block record their trials."""
    before = os.environ.get(GRAPHS)
    os.environ[GRAPHS] = str(int(graphs))
    try:
        yield
    finally:
        if before is None:
            del os.environ[GRAPHS]
        else:
            os.environ[GRAPHS] = before


def mnist(size: Size, device: str, data: Path | None) -> Iterator[Figure]:
    """`neurorules train` on MNIST: seconds of learning and test accuracy."""
    for rule in ("sigprop", "bptt"):
        for graphs in (False, True):
            with recording(graphs):
                found = neurorules.train(
                    rule=rule, data="mnist", net=str(size.hidden), steps=8, epochs=size.epochs, device=device,
                    data_dir=data,
                )  # fmt: skip
            how = f"{rule} on MNIST, {size.hidden} neurons, T = 8, {size.epochs} epochs{', CUDA graphs' * graphs}"
            yield f"{how}: learning", f"{found['train_seconds']:.3g}", "s"
            yield f"{how}: test accuracy", f"{100 * found['test_accuracy']:.2f}", "%"
