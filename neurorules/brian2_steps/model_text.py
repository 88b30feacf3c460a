"""A network as the texts Brian2 is given: readable, printable, and complete before Brian2 is imported.

State variables are dimensionless, one step is `STEP_MS`, and membranes, currents and weights stand beside them with
units as well (`scale.py`). Each layer has slots of its own within a step, so that
no layer runs late: its input arrives in an accumulator, its step uses and clears it, it fires, and the next layer
goes on. (`v += w` at a spike would be another network: a hard reset would wipe what arrives with it.) Traces
move when all layers have fired, then rules act. Recurrent spikes are delivered last, for the next step.

Pools stand between layers as populations of their own, which send what they pool within the same step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from neurorules.brian2_steps.scale import SCALE, STEP_MS
from neurorules.brian2_steps.wiring import Wiring

BRIAN2_SLOTS = ("groups", "thresholds", "synapses", "resets")
"""Brian2's own slots. Its empty state updaters sit there, and nothing of ours."""


def slots(layers: int, pools: int = 0) -> list[str]:
    """The order of one step, for networks of up to `layers` layers, with up to `pools` pools before each."""
    inside = []
    for layer in range(layers):
        inside += [f"{moment}_{layer}_{pool}" for pool in range(pools) for moment in ("gather", "pool", "pooled")]
        inside += [f"{moment}_{layer}" for moment in ("arrive", "step", "fire")]
    return ["start", "stimulus", "input_fires", *inside, "traces", "learn", "loop", "record", *BRIAN2_SLOTS, "end"]


@dataclass(frozen=True)
class Code:
    """Statements that run at every step.

    Args:
        lines: in order.
        slot: moment within the step.
        order: among all that runs in the slot.
        every: steps from one time to the next.
    """

    lines: tuple[str, ...]
    slot: str
    order: int = 0
    every: int = 1


@dataclass(frozen=True)
class Pathway:
    """Statements that run when a spike of one side arrives at a synapse."""

    name: str
    event: Literal["pre", "post"]
    lines: tuple[str, ...]
    slot: str
    order: int = 0


@dataclass(frozen=True)
class PopulationText:
    """One population.

    Args:
        name: of the Brian2 object.
        size: neurons of one sample's copy.
        variables: state, one a neuron and sample.
        numbers: constants, scalar or one a neuron.
        codes: what runs at every step.
        fires: slot in which neurons with S != 0 send it; None where nobody listens.
        tables: variables read from a table (T or 1, B, size), by variable.
        learned: of the numbers, those that change.
        recorded: variables.
        table_steps: steps that a row of a table stands for.
        shown: equations of the same with units.
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
        """Declarations, in Brian2's syntax."""
        state = [f"{name} : 1" for name in (*self.variables, *self.tables)]
        numbers = [f"{name} : 1" + ("" if name in self.learned else " (constant)") for name in self.numbers]
        return "\n".join([*state, *numbers, *self.shown])


@dataclass(frozen=True)
class ConnectionText:
    """Synapses from neurons of `source` to neurons of `target`, within each sample's copy.

    Args:
        name: of the Brian2 object.
        source: name of the presynaptic population.
        target: of the postsynaptic one.
        parameter: name of its weights among the network's parameters.
        weights: one a synapse, (n,).
        wiring: which synapses there are.
        numbers: constants, one a presynaptic neuron (I,).
        variables: state, one a synapse and sample, beside the weight `w`.
        pathways: what spikes do.
        codes: what runs at every step.
        recorded: variables.
        shown: equations of the same with units.
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
        """Declarations, in Brian2's syntax."""
        state = [f"{name} : 1" for name in ("w", *self.variables)]
        return "\n".join([*state, *(f"{name} : 1 (constant)" for name in self.numbers), *self.shown])


@dataclass(frozen=True)
class NetworkText:
    """Populations and connections of one network, for `samples` copies side by side.

    Args:
        layers, pools: how many layers it has, and pools in a row.
    """

    populations: tuple[PopulationText, ...]
    connections: tuple[ConnectionText, ...]
    samples: int
    layers: int
    pools: int = 0

    def show(self) -> str:
        """The whole model, slot by slot, for a person to read."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"# one step = {STEP_MS:g} ms; slots: {', '.join(slots(self.layers, self.pools))}"
        yield SCALE.header()
        for population in self.populations:
            yield f"\nNeuronGroup {population.name}: {population.size} neurons x {self.samples} samples"
            yield from (f"    {line}" for line in population.equations().splitlines())
            yield from (f"    {_number(name, value)}" for name, value in population.numbers.items())
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


def _show_codes(codes: tuple[Code, ...]) -> Iterator[str]:
    for code in codes:
        yield f"  every step, in {code.slot}, order {code.order}:"
        yield from (f"    {line}" for line in code.lines)


def _number(name: str, value: float | np.ndarray) -> str:
    told = SCALE.told(name, value)
    return f"{name} = {_brief(value)}" + (f"  # {told}" if told else "")


def _brief(value: float | np.ndarray) -> str:
    if not isinstance(value, np.ndarray):
        return f"{value:g}"
    return f"{value.min():g} to {value.max():g}" if value.size else "none"
