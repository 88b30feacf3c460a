"""The measurement: its points, the systems that are measured, and the ratios of their times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import torch

from neurorules.bench.accuracy import SEED, parse_goals, train_to
from neurorules.bench.growth import BY_LAYER, growth_of
from neurorules.bench.hottest import hottest
from neurorules.bench.load import measured_load
from neurorules.bench.peers import PEERS, installed
from neurorules.bench.steps import Work, activity_numbers, bare_products, memory_pass, our_step, poisson
from neurorules.bench.turns import WARM_UP, Spread, Turns
from neurorules.compare.gather import machine
from neurorules.language.config import check_schedule
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import parse_list
from neurorules.language.ranges import Count, Fraction, Steps, check_range
from neurorules.rules import RULES
from neurorules.runs.allocator import keep_freed_memory
from neurorules.torch_path.process.threads import check_threads, running_on
from neurorules.torch_path.training.checks import check_device

PRODUCTS, MEMORY, PEER = "bare products", "memory pass", "snnTorch"
BESIDE = (PEER, PRODUCTS, MEMORY)
"""The systems that every time is compared with, in this order."""
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Factors by which a sweep multiplies steps, width and batch size."""
DEPTHS = (1, 2, 3, 4)
ACTIVITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
USUAL_ACTIVITIES = (0.02, 0.1)
SWEEPS = ("steps", "width", "depth", "batch", "activity")


@dataclass(frozen=True)
class Point:
    """The net, the batch and the activity that one row of a table measures.

    Args:
        hidden: sizes of the hidden layers.
        steps: T of a sample.
        batch_size: samples of a step.
        activity: mean share of the inputs that fire in a step.
    """

    hidden: tuple[int, ...]
    steps: int
    batch_size: int
    activity: float

    def work(self, device: torch.device) -> Work:
        """The batch that is learned, on a device."""
        spikes, labels = poisson(self.steps, self.batch_size, rate=self.activity)
        return Work(spikes.to(device), labels.to(device), self.hidden)


@dataclass(frozen=True)
class Plan:
    """The plan of a measurement: its points and the systems that take turns.

    Args:
        points: in the order of the table.
        rules: the rules of neurorules, with their options.
        sweep: the quantity that differs between the points; None if only the activity does.
        device: cpu or cuda.
        threads: the number of threads of the CPU.
        repetitions: the number of turns of each point.
        schedule: the order in which the rules compute layers and steps.
        memory: whether the memory of each system is measured too.
        goals: the test accuracies on MNIST that are trained for, in per cent, as keys of `accuracy.RECIPES`.
        own_threads: the threads that the user asks for; None leaves those of a training to `train`.
    """

    points: tuple[Point, ...]
    rules: tuple[str, ...]
    sweep: str | None
    device: torch.device
    threads: int
    repetitions: int
    schedule: str = BY_LAYER
    memory: bool = False
    goals: tuple[str, ...] = ()
    own_threads: int | None = None


def plan(
    rules: str, net: str, steps: int, batch_size: int, activity: str | None, sweep: str | None,
    device: str, threads: int | None, repetitions: int,
    schedule: str = BY_LAYER, memory: bool = False, goals: str | None = None,
) -> Plan:  # fmt: skip
    """Check the user's options, and plan the measurement.

    Args:
        rules: rules, comma-separated.
        net: sizes of hidden layers, such as "800-800".
        steps, batch_size: T and B.
        activity: comma-separated shares of inputs that fire; None for two usual ones, or for six if they are swept.
        sweep: one of `SWEEPS`, or None.
        device: cpu, cuda or auto.
        threads: the threads of the CPU; None for torch's own number.
        repetitions: the number of turns of each point.
        schedule: the order in which the rules compute layers and steps, as `train` has it.
        memory: whether to measure the memory of each system too.
        goals: comma-separated test accuracies on MNIST to train for, in per cent; None for none.

    Returns:
        The plan.

    Raises:
        UserError: a word is unknown, a number is outside its range, or there is no such device.
    """
    named = parse_list(rules)
    for rule in named:
        RULES.make(rule)
    if not named:
        raise UserError("--rules names no rule. Give some, such as sigprop,dfa,bptt")
    check_range("--steps", steps, Steps)
    check_range("--batch-size", batch_size, Count)
    check_range("--repetitions", repetitions, Count)
    check_range("--threads", threads, Count | None)
    check_threads(threads)
    check_schedule(schedule)
    if sweep is not None and sweep not in SWEEPS:
        raise unknown("sweep", sweep, SWEEPS)
    chosen = USUAL_ACTIVITIES if sweep != "activity" else ACTIVITIES
    shares = chosen if activity is None else tuple(_share(word) for word in parse_list(activity))
    if not shares:
        raise UserError("--activity names no share. Give some, such as 0.02,0.1")
    place = check_device(device)
    points = (Point(_hidden(net), steps, batch_size, share) for share in shares)
    swept = dict.fromkeys(swept for point in points for swept in _swept(point, sweep))
    return Plan(
        tuple(swept), tuple(named), sweep, place, threads or torch.get_num_threads(), repetitions,
        schedule, memory, parse_goals(goals), threads,
    )  # fmt: skip


def measure(planned: Plan) -> dict[str, Any]:
    """Measure every point of a plan: systems take turns, and a ratio compares two times of the same turn.

    Args:
        planned: the plan.

    Returns:
        The content of `bench.json`: the machine, its load, `not_installed`, and `points`. Each point has `systems`,
        with their times `ms` and, in `to`, their ratios, all with median and quartiles; the `hottest` places of a rule;
        and `memory_mb`, if memory is measured. `goals` has a row for each training to an accuracy.

    Raises:
        UserError: a rule cannot train this net.
    """
    keep_freed_memory()
    peers = {name: package for name, (package, _) in PEERS.items() if installed(package)}
    points = []
    with running_on(planned.threads), measured_load() as load:
        for point in planned.points:
            points.append(_measured(point, planned, peers))
    for measurement in points if planned.memory else ():
        _add_memory(measurement, planned)
    goals = [train_to(goal, SEED, planned.own_threads) for goal in planned.goals]
    versions = {name: version(package) for name, package in {"torch": "torch", **peers}.items()}
    return {
        **{key: value for key, value in machine([]).items() if key != "threads"},
        "gpu": torch.cuda.get_device_name(planned.device) if planned.device.type == "cuda" else None,
        "device": planned.device.type, "threads": planned.threads, "versions": versions,
        "not_installed": [name for name in PEERS if name not in peers], "busy": load,
        "rules": list(planned.rules), "sweep": planned.sweep, "repetitions": planned.repetitions, "warm_up": WARM_UP,
        "schedule": planned.schedule, "points": points, "goals": goals,
    }  # fmt: skip


def _measured(point: Point, planned: Plan, peers: Iterable[str]) -> dict[str, Any]:
    """One point: times and ratios of every system."""
    work = point.work(planned.device)
    calls = {rule: our_step(rule, work, planned.schedule) for rule in planned.rules}
    calls |= {name: PEERS[name][1](work) for name in peers}
    calls |= {PRODUCTS: bare_products(work), MEMORY: memory_pass(work)}
    turns = Turns(calls, planned.repetitions, planned.device)

    def quartiles(spread: Spread) -> dict[str, float]:
        return spread._asdict()

    systems: dict[str, dict[str, Any]] = {
        name: {
            "ms": quartiles(turns.spread(name)),
            "to": {b: quartiles(turns.ratios(name, b)) for b in BESIDE if b in calls},
        }
        for name in calls
    }
    for rule in planned.rules:
        systems[rule]["hottest"] = hottest(calls[rule])
    moved = 2 * 4 * activity_numbers(work)  # the number of bytes that are read and written
    return {**asdict(point), "memory_gb_per_s": moved / (1e6 * turns.ms(MEMORY)), "systems": systems}


def _add_memory(point: dict[str, Any], planned: Plan) -> None:
    """Measure the memory of every system that trains at one point."""
    for name, system in point["systems"].items():
        if name not in (PRODUCTS, MEMORY):
            system["memory_mb"] = growth_of(
                name, point["hidden"], point["steps"], point["batch_size"], point["activity"], planned.schedule,
                planned.device.type,
            )  # fmt: skip


def _swept(point: Point, sweep: str | None) -> Iterator[Point]:
    """A point, or the points that a sweep derives from it."""
    if sweep == "steps":
        yield from (replace(point, steps=_times(point.steps, factor)) for factor in FACTORS)
    elif sweep == "batch":
        yield from (replace(point, batch_size=_times(point.batch_size, factor)) for factor in FACTORS)
    elif sweep == "width":
        for factor in FACTORS:
            yield replace(point, hidden=tuple(_times(size, factor) for size in point.hidden))
    elif sweep == "depth":
        yield from (replace(point, hidden=point.hidden[:1] * depth) for depth in DEPTHS)
    else:
        yield point


def _times(number: int, factor: float) -> int:
    return max(1, round(number * factor))


def _hidden(net: str) -> tuple[int, ...]:
    """Sizes of the hidden layers of a fully connected net."""
    if not re.fullmatch(r"\d+(-\d+)*", net):
        raise UserError(f"--net is '{net}', and fully connected layers are measured. Give their sizes, such as 800-800")
    sizes = tuple(int(size) for size in net.split("-"))
    for size in sizes:
        check_range("--net: the size of a layer", size, Count)
    return sizes


def _share(word: str) -> float:
    """Parse a share of inputs that fire."""
    try:
        share = float(word)
    except ValueError:
        raise UserError(f"--activity holds '{word}', which is not a number. Give shares such as 0.02,0.1") from None
    check_range("--activity", share, Fraction)
    return share
