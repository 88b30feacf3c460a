"""A network as the equations and statements that Brian2 runs, which can be printed and need no Brian2 themselves.

State variables are dimensionless and one time step lasts `STEP_MS` by default; `scale.py` adds membranes, currents and
weights with units. A step is divided into slots, in which Brian2 runs code one after another. Each layer has slots of
its own, so that a spike passes through all layers within one step: the layer's input is summed in an accumulator, its
step reads and clears the accumulator, its spikes are sent, and the next layer follows. An accumulator is needed because
`v += w` at a spike would let a hard reset remove the input that arrives with it. Traces move when all layers have
fired, and then the rule changes parameters. Recurrent spikes are delivered last, for the next step.

A pool between two layers is a population of its own, which sends the pooled spikes within the same step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from neurorules.brian2_steps.scale import SCALE, STEP_MS, Scale
from neurorules.brian2_steps.wiring import Wiring

BRIAN2_SLOTS = ("groups", "thresholds", "synapses", "resets")
"""Brian2's own slots, in which only its state updaters run; those of our populations are empty."""


def slots(layers: int, pools: int = 0) -> list[str]:
    """List the slots of one time step in their order.

    Args:
        layers: largest number of layers of the networks that run together.
        pools: largest number of pools that a connection passes, one after the other.

    Returns:
        The names of all slots, first to last.
    """
    inside = []
    for layer in range(layers):
        inside += [f"{moment}_{layer}_{pool}" for pool in range(pools) for moment in ("gather", "pool", "pooled")]
        inside += [f"{moment}_{layer}" for moment in ("arrive", "step", "fire")]
    return ["start", "stimulus", "input_fires", *inside, "traces", "learn", "loop", "record", *BRIAN2_SLOTS, "end"]


@dataclass(frozen=True)
class Code:
    """Statements that run at regular intervals.

    Args:
        lines: the statements in their order, in Brian2's syntax.
        slot: name of the slot in which they run.
        order: place among all code of the slot; lower numbers run first.
        every: number of steps from one run to the next, >= 1.
    """

    lines: tuple[str, ...]
    slot: str
    order: int = 0
    every: int = 1


@dataclass(frozen=True)
class Pathway:
    """Statements of synapses that run at spikes.

    Args:
        name: the name of the Brian2 object.
        event: whether spikes of the presynaptic or of the postsynaptic neuron run them.
        lines: the statements in their order, in Brian2's syntax.
        slot: name of the slot in which they run.
        order: place among all code of the slot; lower numbers run first.
    """

    name: str
    event: Literal["pre", "post"]
    lines: tuple[str, ...]
    slot: str
    order: int = 0


@dataclass(frozen=True)
class PopulationText:
    """One population of neurons as Brian2 text.

    Args:
        name: the name of the Brian2 object.
        size: number of neurons N of one sample's copy.
        variables: names of state variables, which have one value for each neuron and sample.
        codes: statements that run at every step.
        fires: slot in which neurons with S != 0 send S; None if nothing reads their spikes.
        numbers: parameters by name: a scalar, (N,), or (B, N).
        tables: values (T or 1, B, N) of the variables that are read from a table at every step, by name.
        learned: names of those `numbers` that change while the network runs.
        recorded: names of the variables that are recorded at every step.
        table_steps: number of steps for which one row of a table holds.
        shown: equations that state variables in units (see `scale.py`).
    """

    name: str
    size: int
    variables: tuple[str, ...]
    codes: tuple[Code, ...]
    fires: str | None
    numbers: dict[str, float | np.ndarray] = field(default_factory=dict)
    tables: dict[str, np.ndarray] = field(default_factory=dict)
    learned: tuple[str, ...] = ()
    recorded: tuple[str, ...] = ()
    table_steps: int = 1
    shown: tuple[str, ...] = ()

    def equations(self) -> str:
        """Declare all variables in Brian2's syntax."""
        state = [f"{name} : 1" for name in (*self.variables, *self.tables)]
        numbers = [f"{name} : 1" + ("" if name in self.learned else " (constant)") for name in self.numbers]
        return "\n".join([*state, *numbers, *self.shown])


@dataclass(frozen=True)
class ConnectionText:
    """Synapses from neurons of `source` to neurons of `target`, within each sample's copy.

    Args:
        name: the name of the Brian2 object.
        source: name of the presynaptic population.
        target: name of the postsynaptic population.
        parameter: name of the weights among the network's parameters; of a pool, a description.
        weights: weight of each synapse, (n,).
        wiring: which neurons the synapses join.
        variables: names of state variables other than the weight `w`, which have one value for each synapse and sample.
        pathways: statements that run at spikes.
        codes: statements that run at every step.
        numbers: constants of the presynaptic neurons, (I,), by name.
        recorded: names of the variables that are recorded at every step.
        shown: equations that state variables in units (see `scale.py`).
    """

    name: str
    source: str
    target: str
    parameter: str
    weights: np.ndarray
    wiring: Wiring
    variables: tuple[str, ...]
    pathways: tuple[Pathway, ...]
    codes: tuple[Code, ...]
    numbers: dict[str, np.ndarray] = field(default_factory=dict)
    recorded: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()

    def equations(self) -> str:
        """Declare all variables in Brian2's syntax."""
        state = [f"{name} : 1" for name in ("w", *self.variables)]
        return "\n".join([*state, *(f"{name} : 1 (constant)" for name in self.numbers), *self.shown])


@dataclass(frozen=True)
class NetworkText:
    """The equations of one network, of which each sample runs a copy.

    Args:
        populations: the input, the layers and the pools.
        connections: the synapses between them.
        samples: number of copies B.
        layers: number of layers.
        pools: largest number of pools that a connection passes, one after the other.
        step_ms: length of a time step in ms, > 0.
        scale: the scale of potentials, currents and charges in units.
    """

    populations: tuple[PopulationText, ...]
    connections: tuple[ConnectionText, ...]
    samples: int
    layers: int
    pools: int = 0
    step_ms: float = STEP_MS
    scale: Scale = SCALE

    def show(self) -> str:
        """Write the whole model as text for a reader, with the slot of each statement."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"# one step = {self.step_ms:g} ms; slots: {', '.join(slots(self.layers, self.pools))}"
        yield self.scale.header()
        for population in self.populations:
            yield f"\nNeuronGroup {population.name}: {population.size} neurons x {self.samples} samples"
            yield from (f"    {line}" for line in population.equations().splitlines())
            yield from (f"    {self._number(name, value)}" for name, value in population.numbers.items())
            for name in population.tables:
                yield f"  every step, in stimulus:\n    {name} = {name}_table(t, i)"
            yield from _show_codes(population.codes)
            if population.fires is not None:
                yield f"  spike, in {population.fires}: S != 0"
        for connection in self.connections:
            count = len(connection.weights)
            yield f"\nSynapses {connection.name}: {connection.source} -> {connection.target}, {count} a sample"
            yield f"    w = {connection.parameter}, {_brief(connection.weights)}"
            yield from (f"    {line}" for line in connection.equations().splitlines())
            yield from (f"    {name} = {_brief(value)}" for name, value in connection.numbers.items())
            for pathway in connection.pathways:
                yield f"  on_{pathway.event}, in {pathway.slot}, order {pathway.order}:"
                yield from (f"    {line}" for line in pathway.lines)
            yield from _show_codes(connection.codes)

    def _number(self, name: str, value: float | np.ndarray) -> str:
        in_units = self.scale.in_units(name, value, self.step_ms)
        return f"{name} = {_brief(value)}" + (f"  # {in_units}" if in_units else "")


def _show_codes(codes: tuple[Code, ...]) -> Iterator[str]:
    for code in codes:
        yield f"  every step, in {code.slot}, order {code.order}:"
        yield from (f"    {line}" for line in code.lines)


def _brief(value: float | np.ndarray) -> str:
    if not isinstance(value, np.ndarray):
        return f"{value:g}"
    return f"{value.min():g} to {value.max():g}" if value.size else "none"
