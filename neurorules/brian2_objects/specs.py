"""All Brian2 objects of a model as data, from which they are built, and from which a script is written.

The names are Brian2's: a group, synapses, a pathway, a slot (`when`) and an order in it. A machine describes its
objects once, as a `ModelSpec`, so that the objects that run and the script that a reader gets cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Values = Mapping[str, float | np.ndarray]
"""Initial values of variables by name: a scalar, or one for each neuron or synapse in Brian2's order."""


@dataclass(frozen=True)
class ClockSpec:
    """The arguments of a Brian2 `Clock`.

    Args:
        dt_ms: length of its step in ms, > 0.
        name: the name of the Brian2 object; None for a name of Brian2's.
    """

    dt_ms: float
    name: str | None = None


@dataclass(frozen=True)
class TableSpec:
    """The arguments of a Brian2 `TimedArray`.

    Args:
        name: the name of the Brian2 object.
        symbol: its name in equations.
        values: one row for each interval, (K, width) or (K,).
        dt_ms: length of an interval in ms, > 0.
    """

    name: str
    symbol: str
    values: np.ndarray
    dt_ms: float


@dataclass(frozen=True)
class RegularSpec:
    """Statements that run at regular intervals (`run_regularly`).

    Args:
        name: the name of the Brian2 object.
        lines: the statements in their order.
        when: slot in which they run.
        order: place among all that runs in the slot; lower numbers run first.
        clock: key of the clock at whose steps they run.
        every: number of the clock's steps from one run to the next, >= 1.
    """

    name: str
    lines: tuple[str, ...]
    when: str
    order: int
    clock: str
    every: int = 1


@dataclass(frozen=True)
class PathwaySpec:
    """Statements of synapses that run at spikes.

    Args:
        name: the name of the pathway.
        event: whether spikes of the presynaptic or of the postsynaptic neuron run them.
        lines: the statements in their order.
        when: slot in which they run; None for Brian2's own.
        order: place among all that runs in the slot.
    """

    name: str
    event: Literal["pre", "post"]
    lines: tuple[str, ...]
    when: str | None = None
    order: int = 0


@dataclass(frozen=True)
class SumSpec:
    """The time at which a summed variable of synapses is computed: its name, slot and order, and the clock's key."""

    variable: str
    when: str
    order: int
    clock: str


@dataclass(frozen=True)
class GroupSpec:
    """The arguments of a Brian2 `NeuronGroup`, and the code that runs for it at each step.

    Args:
        name: the name of the Brian2 object.
        size: number of neurons, those of all copies together.
        equations: lines in Brian2's syntax.
        clock: key of its clock.
        note: a description, for a reader.
        method: how its equations are integrated: "exact" (see `exact.py`), a name of Brian2's, or None for its default.
        threshold: condition of a spike; None for neurons that do not spike.
        reset: statements that run at a neuron's spike.
        refractory_ms: time after a spike in which a neuron cannot spike, in ms, >= 0.
        refractory_while: condition under which a neuron cannot spike, instead of a time.
        spikes_in: slot in which spikes are sent; None for Brian2's own.
        regular: statements that run at regular intervals.
        tables: names of the tables that its equations and statements read.
        values: initial values by variable; variables that are missing here begin with 0.
        copies: number of samples of which each has a copy of the neurons, >= 1; `size` counts all of them.
    """

    name: str
    size: int
    equations: tuple[str, ...]
    clock: str
    note: str = ""
    method: str | None = None
    threshold: str | None = None
    reset: tuple[str, ...] = ()
    refractory_ms: float = 0.0
    refractory_while: str | None = None
    spikes_in: str | None = None
    regular: tuple[RegularSpec, ...] = ()
    tables: tuple[str, ...] = ()
    values: Values = field(default_factory=dict)
    copies: int = 1


@dataclass(frozen=True)
class SynapsesSpec:
    """`Synapses` from one group to another.

    Args:
        name, equations, clock, note, method, regular, tables, values, copies: as those of a `GroupSpec`.
        source, target: names of the groups.
        pathways: statements that run at spikes.
        sums: when each summed variable is computed.
        pairs: indices of the neurons at the two ends, (n,) each; None for every neuron with every neuron.
        delay_ms: time from a presynaptic spike to its effect, in ms, >= 0, the same for all synapses.
    """

    name: str
    source: str
    target: str
    equations: tuple[str, ...]
    clock: str
    note: str = ""
    method: str | None = None
    pathways: tuple[PathwaySpec, ...] = ()
    sums: tuple[SumSpec, ...] = ()
    regular: tuple[RegularSpec, ...] = ()
    tables: tuple[str, ...] = ()
    pairs: tuple[np.ndarray, np.ndarray] | None = None
    delay_ms: float = 0.0
    values: Values = field(default_factory=dict)
    copies: int = 1


@dataclass(frozen=True)
class MonitorSpec:
    """A `StateMonitor`, or a `SpikeMonitor` where it has no variables.

    Args:
        name: the name of the Brian2 object.
        source: name of the group or the synapses.
        variables: names of the variables of a `StateMonitor`, which records all neurons or synapses.
        clock: key of its clock.
        when: slot in which it records.
        order: place among all that runs in the slot.
    """

    name: str
    source: str
    variables: tuple[str, ...] = ()
    clock: str = "step"
    when: str = "end"
    order: int = 0


@dataclass(frozen=True)
class ModelSpec:
    """All objects of a model, as data from which they are built, or written as a program.

    Args:
        clocks: its clocks by key; "step" is that of the integration.
        tables: all tables.
        groups: all groups.
        synapses: all synapses.
        monitors: all monitors.
        schedule: the slots of a step in their order, each with a description, for a reader.
        seed: the seed of the random numbers in equations; None if nothing is random.
    """

    clocks: Mapping[str, ClockSpec]
    tables: tuple[TableSpec, ...]
    groups: tuple[GroupSpec, ...]
    synapses: tuple[SynapsesSpec, ...]
    monitors: tuple[MonitorSpec, ...]
    schedule: Mapping[str, str]
    seed: int | None = None

    def table(self, name: str) -> TableSpec:
        """Give the table that has a name."""
        return next(table for table in self.tables if table.name == name)
