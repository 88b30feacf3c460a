"""Build the Brian2 objects of a circuit, the same for a compiled program and for Brian2's numpy target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.circuit import JUDGE, SLOTS, Act, Circuit, Units, Wires
from neurorules.brian2_continuous.parts.exact import integrator

LATE = ("late_pre", "late_post")
"""Names of the pathways that run behind the resets of a step, in their order."""


@dataclass(frozen=True)
class Objects:
    """The Brian2 objects of a circuit.

    Args:
        network: the `brian2.Network` of all the others.
        parts: `NeuronGroup`s and `Synapses` by name.
        tables: `TimedArray`s by name.
        monitors: `StateMonitor`s that record once in each presentation, by name of their population.
        spikes: `SpikeMonitor`s, by name of their population.
        watched: `StateMonitor`s that record at each step, by name of their population.
    """

    network: Any
    parts: dict[str, Any]
    tables: dict[str, Any]
    monitors: dict[str, Any]
    spikes: dict[str, Any]
    watched: dict[str, Any]


def build(brian2: ModuleType, circuit: Circuit, tables: Mapping[str, np.ndarray] | None = None) -> Objects:
    """Build the Brian2 objects of a circuit.

    Args:
        brian2: the package.
        circuit: the equations.
        tables: values of the circuit's tables by name, (K, width) or (K,). A table that is missing here holds zeros.

    Returns:
        The objects, with all variables at 0: the caller sets their initial values.
    """
    return _Builder(brian2, circuit, tables or {}).build()


class _Builder:
    def __init__(self, brian2: ModuleType, circuit: Circuit, tables: Mapping[str, np.ndarray]) -> None:
        self.brian2, self.circuit = brian2, circuit
        self.method = integrator(circuit.method, circuit.dt_ms)
        self.step = brian2.Clock(dt=circuit.dt_ms * brian2.ms, name="step_clock")
        self.presentation = brian2.Clock(dt=circuit.period_ms * brian2.ms, name="presentation_clock")
        period = circuit.period_ms * brian2.ms
        self.tables = {
            name: brian2.TimedArray(
                tables.get(name, np.zeros((circuit.presentations, width) if width else circuit.presentations)),
                dt=period,
                name=f"{name}_table",
            )
            for name, width in circuit.tables.items()
        }

    def build(self) -> Objects:
        if self.circuit.seed is not None:
            self.brian2.seed(self.circuit.seed)
        parts = {units.name: self._group(units) for units in self.circuit.units}
        parts |= {wires.name: self._synapses(wires, parts) for wires in self.circuit.wires}
        monitors = {
            units.name: self.brian2.StateMonitor(
                parts[units.name],
                list(units.record),
                record=True,
                clock=self.presentation,
                when=JUDGE,
                order=1000,
                name=f"{units.name}_record",
            )
            for units in self.circuit.units
            if units.record
        }
        spikes = {
            units.name: self.brian2.SpikeMonitor(parts[units.name], name=f"{units.name}_spikes")
            for units in self.circuit.units
            if units.spikes
        }
        watched = {
            units.name: self.brian2.StateMonitor(
                parts[units.name], list(units.watch), record=True, clock=self.step, when="end",
                name=f"{units.name}_watched",
            )
            for units in self.circuit.units
            if units.watch
        }  # fmt: skip
        network = self.brian2.Network(*parts.values(), *monitors.values(), *spikes.values(), *watched.values())
        network.schedule = list(SLOTS)
        return Objects(network, parts, self.tables, monitors, spikes, watched)

    def _namespace(self, streams: tuple[str, ...]) -> dict[str, Any]:
        return {f"{name}_table": self.tables[name] for name in streams}

    def _stream_equations(self, streams: tuple[str, ...]) -> list[str]:
        """Equations that read tables: `NAME` is the present row, `done_NAME` the row before it, and 0 before the first.

        In the slots between two presentations, the row before is that of the presentation that has just ended.
        """
        half = f"{self.circuit.period_ms / 2!r}*ms"
        lines = []
        for name in streams:
            if self.circuit.tables[name]:
                lines.append(f"{name}_i = {name}_table(t, i) : 1")
                lines.append(f"done_{name}_i = {name}_table(t - {half}, i)*int(t > {half}) : 1")
            else:
                lines.append(f"{name} = {name}_table(t) : 1 (shared)")
                lines.append(f"done_{name} = {name}_table(t - {half})*int(t > {half}) : 1 (shared)")
        return lines

    def _settings_equations(self, units: Units) -> list[str]:
        """Declare the settings that the units read, or the wires that end there.

        Brian2 takes a name without a suffix in wires as a variable of their target.
        """
        readers = str((units, *(wires for wires in self.circuit.wires if wires.target == units.name)))
        return [f"{name} : 1 (shared, constant)" for name in self.circuit.settings if name in readers]

    def _group(self, units: Units) -> Any:
        equations = "\n".join(
            [*units.equations, *self._stream_equations(units.streams), *self._settings_equations(units)]
        )
        events = {} if units.threshold is None else {"threshold": units.threshold, "reset": "\n".join(units.reset)}
        if units.refractory_ms:
            events["refractory"] = units.refractory_ms * self.brian2.ms
        group = self.brian2.NeuronGroup(
            units.size, equations, method=self.method, namespace=self._namespace(units.streams),
            clock=self.step, name=units.name, **events,
        )  # fmt: skip
        self._add_acts(group, units.name, units.acts)
        return group

    def _synapses(self, wires: Wires, parts: dict[str, Any]) -> Any:
        synapses = self.brian2.Synapses(
            parts[wires.source], parts[wires.target], "\n".join(wires.equations), method=self.method,
            on_pre=_pathways("pre", wires.on_pre, wires.late_pre),
            on_post=_pathways("post", wires.on_post, wires.late_post),
            namespace=self._namespace(tuple(self.tables)), clock=self.step, name=wires.name,
        )  # fmt: skip
        for order, name in enumerate(LATE, start=1):
            if name in (pathway.objname for pathway in synapses._pathways):
                pathway = getattr(synapses, name)
                pathway.when, pathway.order = "resets", order
        for name, (slot, order, every) in wires.sums.items():
            updater = synapses.summed_updaters[name]
            updater.when, updater.order = slot, order
            updater._clock = self.presentation if every == "presentation" else self.step
        self._add_acts(synapses, wires.name, wires.acts)
        if wires.pairs is None:
            synapses.connect()
        else:
            synapses.connect(i=wires.pairs.pre, j=wires.pairs.post)
        return synapses

    def _add_acts(self, group: Any, name: str, acts: tuple[Act, ...]) -> None:
        for number, act in enumerate(acts):
            clock = self.presentation if act.every == "presentation" else self.step
            group.run_regularly(
                "\n".join(act.lines), clock=clock, when=act.slot, order=act.order, name=f"{name}_act_{number}"
            )


def _pathways(event: str, at_once: tuple[str, ...], late: tuple[str, ...]) -> dict[str, str] | None:
    """The statements of wires at a spike by name of the Brian2 pathway: "pre", "post", or one of `LATE`."""
    pathways = {event: "\n".join(at_once), f"late_{event}": "\n".join(late)}
    return {name: code for name, code in pathways.items() if code} or None
