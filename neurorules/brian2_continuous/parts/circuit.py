"""A model in continuous time as text: units, wires between them, what streams in; complete before Brian2 is imported.

Samples follow one another as *presentations* of equal length. What streams in is constant during one and stands in
tables, a row a presentation; equations read it by name. Names that begin with `done_` hold the row of the presentation
that has just ended: what judges and learns runs at that moment, before the next one begins.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from neurorules.brian2_steps.scale import SCALE

JUDGE, LEARN, TELL, BEGIN, ARRIVE = "judge", "learn", "tell", "begin", "arrive"
SLOTS = ("start", JUDGE, LEARN, TELL, BEGIN, ARRIVE, "groups", "thresholds", "synapses", "resets", "record", "end")
"""Order of one step. `judge`, `learn`, `tell` and `begin` act where one presentation ends and the next begins."""
Every = Literal["step", "presentation"]
When = tuple[str, int, Every]
"""Slot, order among what runs in it, rhythm."""


@dataclass(frozen=True)
class Act:
    """Statements that run at a slot, every step or once a presentation.

    Args:
        lines: in order.
        slot: one of `SLOTS`.
        order: among all that runs in the slot.
        every: step or presentation.
    """

    lines: tuple[str, ...]
    slot: str
    order: int = 0
    every: Every = "presentation"


@dataclass(frozen=True)
class Units:
    """A population.

    Args:
        name: of the Brian2 object.
        size: units.
        equations: lines in Brian2's syntax; time constants in ms.
        threshold: condition of a spike, None for units that do not spike.
        reset: statements at a spike.
        refractory_ms: how long a spike silences, >= 0.
        acts: statements at slots.
        streams: names of tables it reads: (K,) values shared by all units, or (K, size) as `NAME_i`.
        start: initial values by variable; 0 where none is given.
        keeps: variables that are carried from one run to the next, such as a bias.
        record, watch: recorded at `judge`, once a presentation, and at each step's end; with units, in volt and ampere.
        spikes: whether every spike's unit and time are recorded.
    """

    name: str
    size: int
    equations: tuple[str, ...]
    threshold: str | None = None
    reset: tuple[str, ...] = ()
    refractory_ms: float = 0.0
    acts: tuple[Act, ...] = ()
    streams: tuple[str, ...] = ()
    start: Mapping[str, float | np.ndarray] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()
    record: tuple[str, ...] = ()
    spikes: bool = False
    watch: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pairs:
    """Which units are connected, one wire a pair.

    Args:
        pre, post: (N,) positions in source and target; N > 0.
    """

    pre: np.ndarray
    post: np.ndarray

    def __len__(self) -> int:
        return len(self.pre)


def random_pairs(source: int, target: int, probability: float, random: np.random.Generator) -> Pairs:
    """Every pair of `source` and `target` units with a probability in 0..1, a source's after another's."""
    return Pairs(*np.nonzero(random.random((source, target)) < probability))


@dataclass(frozen=True)
class Wires:
    """Connections from `source` to `target`, whose streams and settings they read too.

    Args:
        name: of the Brian2 object.
        source, target: names of populations.
        equations: lines; `NAME_post = ... : 1 (summed)` sums over a unit's wires.
        sums: slot, order and rhythm at which each summed variable is made, by name.
        on_pre, on_post: statements at spikes.
        acts: statements at slots.
        start: initial values by variable: numbers, (post, pre) arrays, or (N,) where `pairs` are given.
        keeps: variables carried from one run to the next: the weights.
        pairs: which units are connected; None for every unit with every unit.
    """

    name: str
    source: str
    target: str
    equations: tuple[str, ...]
    sums: Mapping[str, When] = field(default_factory=dict)
    on_pre: tuple[str, ...] = ()
    on_post: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    start: Mapping[str, float | np.ndarray] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()
    pairs: Pairs | None = None


@dataclass(frozen=True)
class Circuit:
    """A whole model.

    Args:
        units, wires: its parts.
        tables: width of each table by name, 0 for one value a presentation.
        presentations: K, of one run.
        period_ms: length of a presentation.
        dt_ms: step of the integration.
        method: how Brian2 integrates.
        settings: numbers that equations read by name and that may change without compiling.
        seed: of `rand()` in equations, the same in every run; None where nothing is random.
        scored: units whose recorded variable `seen` holds the class scores.
    """

    units: tuple[Units, ...]
    wires: tuple[Wires, ...]
    tables: Mapping[str, int]
    presentations: int
    period_ms: float
    dt_ms: float
    method: str = "exponential_euler"
    settings: Mapping[str, float] = field(default_factory=dict)
    seed: int | None = None
    scored: str = "readout"

    def kept(self) -> Iterator[tuple[Units | Wires, str]]:
        """Everything that is carried from one run to the next."""
        parts: tuple[Units | Wires, ...] = (*self.units, *self.wires)
        for part in parts:
            for variable in part.keeps:
                yield part, variable

    def model_hash(self) -> str:
        """Of all that is compiled: texts, sizes, lengths; not of tables, weights or settings."""
        told = asdict(self)
        told["settings"] = sorted(self.settings)
        for part in (*told["units"], *told["wires"]):
            part["start"] = sorted(part["start"])
        for wires in told["wires"]:
            if wires["pairs"] is not None:
                ends = np.stack([wires["pairs"]["pre"], wires["pairs"]["post"]]).astype(np.int64)
                wires["pairs"] = hashlib.sha256(ends.tobytes()).hexdigest()
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:20]

    def starts(self) -> dict[str, Any]:
        """Initial values by "part.variable"; those of wires flat, a source's after another's."""
        found: dict[str, Any] = {}
        for one in self.units:
            found |= {f"{one.name}.{k}": v for k, v in one.start.items()}
        for wire in self.wires:
            found |= {f"{wire.name}.{k}": flat(v) for k, v in wire.start.items()}
        return found

    def show(self) -> str:
        """The model for a person to read."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"# presentations of {self.period_ms:g} ms, step {self.dt_ms:g} ms, integrated by {self.method}"
        yield SCALE.header()
        yield f"# slots of a step: {', '.join(SLOTS)}"
        yield "# streams, a row a presentation: " + ", ".join(self.tables) + "; done_NAME: of the one just ended"
        yield from (f"# {name} = {value:g}" for name, value in self.settings.items())
        for units in self.units:
            yield f"\nNeuronGroup {units.name}: {units.size}"
            yield from (f"    {line}" for line in units.equations)
            if units.threshold is not None:
                yield f"  spike where {units.threshold}, silent for {units.refractory_ms:g} ms:"
                yield from (f"    {line}" for line in units.reset)
            yield from _show_acts(units.acts)
        for wires in self.wires:
            some = "" if wires.pairs is None else f", {len(wires.pairs)} pairs"
            yield f"\nSynapses {wires.name}: {wires.source} -> {wires.target}{some}"
            yield from (f"    {line}" for line in wires.equations)
            for event, lines in (("pre", wires.on_pre), ("post", wires.on_post)):
                if lines:
                    yield f"  on_{event}:"
                    yield from (f"    {line}" for line in lines)
            yield from _show_acts(wires.acts)


def flat(values: float | np.ndarray) -> float | np.ndarray:
    """(post, pre) values in the order of Brian2's connections, a source's wires after another's; (N,) stay."""
    return np.ascontiguousarray(values.T).reshape(-1) if isinstance(values, np.ndarray) else values


def _show_acts(acts: tuple[Act, ...]) -> Iterator[str]:
    for act in acts:
        yield f"  every {act.every}, in {act.slot}, order {act.order}:"
        yield from (f"    {line}" for line in act.lines)
