"""A model in continuous time as equations: populations of units, and wires between them. It needs no Brian2 itself.

Samples follow one another as *presentations* of equal length. The input of a presentation, such as a sample's currents
and its label, is constant while it lasts. It stands in tables with one row for each presentation, which equations read
by the name of the table. The rule compares and learns at the moment at which one presentation ends and the next has not
begun. The row of the presentation that has just ended is read by the table's name with the prefix `done_`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from neurorules.brian2_objects.exact import EXACT
from neurorules.brian2_steps.scale import SCALE, Scale
from neurorules.language.errors import UserError

JUDGE, LEARN, TELL, BEGIN, ARRIVE = "judge", "learn", "tell", "begin", "arrive"
SLOTS = ("start", JUDGE, LEARN, TELL, BEGIN, ARRIVE, "groups", "thresholds", "synapses", "resets", "record", "end")
"""The slots of one integration step, in their order.

Four of them act between two presentations: in `judge` errors and third factors are computed, in `learn` weights change,
in `tell` errors are sent back and running averages move, and in `begin` the next presentation starts. In `arrive`,
wires sum their currents.
"""
Every = Literal["step", "presentation", "millisecond"]
"""The intervals at which statements run: at every integration step, once in a presentation, or once in a step of a
rule's texts."""
_STORED = re.compile(r"\s*(?:d(\w+)/dt\s*=.*|(\w+)) : 1(?:$| \()")
"""A line of equations that declares a variable which holds a pure number from one step to the next."""
LAST_SPIKE = "lastspike"
"""Brian2's name of the time, in s, at which a unit that can be refractory has spiked."""
When = tuple[str, int, Every]
"""The time at which statements run: the slot, the order in the slot, and the interval."""


@dataclass(frozen=True)
class Act:
    """Statements that run in a slot.

    Args:
        lines: the statements in their order, in Brian2's syntax.
        slot: one of `SLOTS`.
        order: place among all that runs in the slot; lower numbers run first.
        every: how often they run.
    """

    lines: tuple[str, ...]
    slot: str
    order: int = 0
    every: Every = "presentation"


@dataclass(frozen=True)
class Units:
    """A population of alike units of a circuit: their equations, when they spike, and what is recorded of them.

    Args:
        name: the name of the Brian2 object.
        size: number of units N.
        equations: lines in Brian2's syntax.
        threshold: condition of a spike; None for units that do not spike.
        reset: statements that run at a unit's spike.
        refractory_ms: time after a spike in which the unit cannot spike, in ms, >= 0.
        acts: statements that run in slots.
        streams: names of the tables that the equations read. A table (K,) has one value for all units, and a table
            (K, N) is read as `NAME_i`.
        start: initial values by variable, scalar or (N,); variables that are missing here begin with 0.
        keeps: names of the variables that are carried from one run to the next, such as a bias.
        record: names of the variables that are recorded once in each presentation, when slot `judge` ends.
        spikes: whether the unit and the time of each spike are recorded.
        watch: names of the variables that are recorded at the end of each integration step. Variables with units, such
            as `V_m`, are recorded in volt and ampere.
        note: a description of the population, for a reader.
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
    note: str = ""


@dataclass(frozen=True)
class Pairs:
    """The pairs of units that wires connect, one wire for each pair.

    Args:
        pre, post: indices of units in the source and in the target, (n,) each, n > 0.
    """

    pre: np.ndarray
    post: np.ndarray

    def __len__(self) -> int:
        return len(self.pre)


def random_pairs(source: int, target: int, probability: float, random: np.random.Generator) -> Pairs:
    """Draw which units are connected, each pair on its own.

    Args:
        source: number of units of the source.
        target: number of units of the target.
        probability: the probability that a pair is connected, in 0..1.
        random: generator of the draws.

    Returns:
        The connected pairs, in the order of the source's units.
    """
    return Pairs(*np.nonzero(random.random((source, target)) < probability))


@dataclass(frozen=True)
class Wires:
    """Connections from one population to another. Their equations can also read the target's tables and settings.

    Args:
        name: the name of the Brian2 object.
        source: name of the presynaptic population.
        target: name of the postsynaptic population.
        equations: lines in Brian2's syntax; `NAME_post = ... : 1 (summed)` sums over the wires of a target's unit.
        sums: when each summed variable is computed, by its name.
        on_pre, on_post: statements that run at a spike of the source's or of the target's unit.
        late_pre, late_post: statements that run at such a spike when all resets of its step have run.
        acts: statements that run in slots.
        start: initial values by variable: a scalar, (post, pre), or (n,) where `pairs` are given.
        keeps: names of the variables that are carried from one run to the next, such as the weight.
        pairs: the n pairs of units that are connected; None for every unit with every unit.
        note: the purpose of the wires, for a reader.
    """

    name: str
    source: str
    target: str
    equations: tuple[str, ...]
    sums: Mapping[str, When] = field(default_factory=dict)
    on_pre: tuple[str, ...] = ()
    on_post: tuple[str, ...] = ()
    late_pre: tuple[str, ...] = ()
    late_post: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    start: Mapping[str, float | np.ndarray] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()
    pairs: Pairs | None = None
    note: str = ""


@dataclass(frozen=True)
class Circuit:
    """A whole model in continuous time.

    Args:
        units: its populations.
        wires: the connections between them.
        tables: width of each table by name; 0 for a table with one value for each presentation.
        presentations: number of presentations K of one run.
        period_ms: length of a presentation in ms, > 0.
        dt_ms: integration step in ms, > 0.
        method: "exact" for equations that are linear in their variables (see `brian2_objects.exact`), or the name of
            one of Brian2's other integration methods.
        settings: numbers that equations read by name. They can change from run to run, without compiling again.
        seed: the seed of the random numbers in equations, equal in each run; None if nothing is random.
        scored: name of the population whose recorded variable `seen` holds the scores of the classes.
        scale: the scale of the variables in volt, ampere and coulomb that its equations show, for a reader.

    Raises:
        UserError: two of its populations or wires have one name.
    """

    units: tuple[Units, ...]
    wires: tuple[Wires, ...]
    tables: Mapping[str, int]
    presentations: int
    period_ms: float
    dt_ms: float
    method: str = EXACT
    settings: Mapping[str, float] = field(default_factory=dict)
    seed: int | None = None
    scored: str = "readout"
    scale: Scale = SCALE

    def __post_init__(self) -> None:
        names = Counter(units.name for units in self.units) + Counter(wires.name for wires in self.wires)
        twice = [name for name, times in names.items() if times > 1]
        if twice:
            raise UserError(
                f"a circuit has {' and '.join(map(repr, twice))} twice. Give each of its populations and wires a name "
                f"of its own"
            )

    def state(self) -> Iterator[tuple[Units | Wires, str]]:
        """Iterate over the variables that are carried from one run to the next, each with the part that has it."""
        parts: tuple[Units | Wires, ...] = (*self.units, *self.wires)
        for part in parts:
            for variable in part.keeps:
                yield part, variable

    def passing(self) -> Iterator[tuple[Units | Wires, str]]:
        """Iterate over all other variables that hold a number from step to step, such as membranes and currents.

        They continue from presentation to presentation, and do not belong to the learned state.
        """
        parts: tuple[Units | Wires, ...] = (*self.units, *self.wires)
        for part in parts:
            for stored in filter(None, map(_STORED.match, part.equations)):
                if (name := stored[1] or stored[2]) not in part.keeps:
                    yield part, name
            if isinstance(part, Units) and part.refractory_ms:
                yield part, LAST_SPIKE

    def model_hash(self) -> str:
        """Hash everything that is compiled: equations, sizes and lengths, but no values of tables, variables or
        settings.
        """
        content = asdict(self)
        del content["scale"]  # Equations contain its numbers if they have units.
        content["settings"] = sorted(self.settings)
        for part in (*content["units"], *content["wires"]):
            part["start"] = sorted(part["start"])
            del part["note"]
        for wires in content["wires"]:
            if wires["pairs"] is not None:
                ends = np.stack([wires["pairs"]["pre"], wires["pairs"]["post"]]).astype(np.int64)
                wires["pairs"] = hashlib.sha256(ends.tobytes()).hexdigest()
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]

    def starts(self) -> dict[str, Any]:
        """Initial values by "part.variable"; those of wires are flat, in the order of `flat`."""
        values: dict[str, Any] = {}
        for one in self.units:
            values |= {f"{one.name}.{k}": v for k, v in one.start.items()}
        for wire in self.wires:
            values |= {f"{wire.name}.{k}": flat(v) for k, v in wire.start.items()}
        return values

    def show(self) -> str:
        """Write the whole model as text for a reader."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"# presentations of {self.period_ms:g} ms, step {self.dt_ms:g} ms, integrated by {self.method}"
        yield self.scale.header()
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
            for event in ("on_pre", "on_post", "late_pre", "late_post"):
                if lines := getattr(wires, event):
                    yield f"  {event}:" if event.startswith("on") else f"  on_{event[5:]}, behind the resets:"
                    yield from (f"    {line}" for line in lines)
            yield from _show_acts(wires.acts)


def flat(values: float | np.ndarray) -> float | np.ndarray:
    """Bring the values of wires into the order of Brian2's synapses, unit by unit of the source.

    A (post, pre) array becomes a flat one; a scalar or a flat array stays as it is.
    """
    return np.ascontiguousarray(values.T).reshape(-1) if isinstance(values, np.ndarray) else values


def _show_acts(acts: tuple[Act, ...]) -> Iterator[str]:
    for act in acts:
        yield f"  every {act.every}, in {act.slot}, order {act.order}:"
        yield from (f"    {line}" for line in act.lines)
