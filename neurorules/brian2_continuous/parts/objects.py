"""The Brian2 objects of a circuit, the same for a compiled program, for Brian2's numpy target and for a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from neurorules.brian2_continuous.parts.circuit import (
    ARRIVE,
    BEGIN,
    JUDGE,
    LEARN,
    SLOTS,
    TELL,
    Act,
    Circuit,
    Units,
    Wires,
)
from neurorules.brian2_continuous.parts.machine import Numbers
from neurorules.brian2_objects.specs import (
    ClockSpec,
    GroupSpec,
    ModelSpec,
    MonitorSpec,
    PathwaySpec,
    RegularSpec,
    SumSpec,
    SynapsesSpec,
    TableSpec,
)
from neurorules.brian2_steps.scale import STEP_MS

LATE = ("late_pre", "late_post")
"""The names of the pathways that run after the resets of a step, in their order."""
RECORDED, SPIKES, WATCHED = "record", "spikes", "watched"
"""The ends of the names of monitors: for values that are recorded once in each presentation, for spikes, and for values
that are recorded at each step. They begin with the name of their population."""
NOTES = {
    JUDGE: "a presentation has ended: scores, errors and third factors are computed",
    LEARN: "weights and biases change",
    TELL: "errors are sent back, and running averages move",
    BEGIN: "the next presentation begins",
    ARRIVE: "synapses sum their currents",
    "groups": "the equations are integrated",
    "thresholds": "neurons spike",
    "synapses": "spikes arrive",
    "resets": "neurons that spiked are reset",
}
"""The activity in the slots of a step, for a reader."""


def objects_of(
    circuit: Circuit, values: Numbers | None = None, tables: Mapping[str, np.ndarray] | None = None
) -> ModelSpec:
    """List the Brian2 objects of a circuit.

    Args:
        circuit: the equations.
        values: initial values of variables by "part.variable", and of settings by name; variables that are missing
            here begin with 0.
        tables: values of the circuit's tables by name, (K, width) or (K,). A table that is missing here holds zeros.

    Returns:
        The objects as data.
    """
    return _Lister(circuit, values or {}, tables or {}).model()


def whole_table(circuit: Circuit, name: str, rows: np.ndarray) -> np.ndarray:
    """Extend a table to the number of rows of a run, whose last row is for the first step after it.

    Args:
        circuit: the equations.
        name: the name of the table.
        rows: its first rows, (n, width) or (n,), at most one more than the circuit has presentations.

    Returns:
        These rows in float64, followed by zeros.
    """
    width = circuit.tables[name]
    whole = np.zeros((circuit.presentations + 1, width) if width else circuit.presentations + 1)
    whole[: len(rows)] = rows
    return whole


class _Lister:
    def __init__(self, circuit: Circuit, values: Numbers, tables: Mapping[str, np.ndarray]) -> None:
        self.circuit, self.values, self.tables = circuit, values, tables

    def model(self) -> ModelSpec:
        circuit = self.circuit
        return ModelSpec(
            clocks={
                "step": ClockSpec(circuit.dt_ms, "step_clock"),
                "presentation": ClockSpec(circuit.period_ms, "presentation_clock"),
                **({"millisecond": ClockSpec(STEP_MS, "text_clock")} if _in_steps_of_texts(circuit) else {}),
            },
            tables=tuple(self._table(name, width) for name, width in circuit.tables.items()),
            groups=tuple(self._group(units) for units in circuit.units),
            synapses=tuple(self._synapses(wires) for wires in circuit.wires),
            monitors=tuple(one for units in circuit.units for one in _monitors(units)),
            schedule={slot: NOTES.get(slot, "") for slot in SLOTS},
            seed=circuit.seed,
        )

    def _table(self, name: str, width: int) -> TableSpec:
        rows = self.tables.get(name, np.zeros((0, width) if width else 0))
        values = whole_table(self.circuit, name, rows)
        return TableSpec(f"{name}_table", f"{name}_table", values, self.circuit.period_ms)

    def _stream_equations(self, streams: tuple[str, ...]) -> Iterator[str]:
        """Equations that read tables: `NAME` is the present row, `done_NAME` the row before it, and 0 before the first.

        In the slots between two presentations, the row before is that of the presentation that has just ended.
        """
        half = f"{self.circuit.period_ms / 2!r}*ms"
        for name in streams:
            if self.circuit.tables[name]:
                yield f"{name}_i = {name}_table(t, i) : 1"
                yield f"done_{name}_i = {name}_table(t - {half}, i)*int(t > {half}) : 1"
            else:
                yield f"{name} = {name}_table(t) : 1 (shared)"
                yield f"done_{name} = {name}_table(t - {half})*int(t > {half}) : 1 (shared)"

    def _settings(self, units: Units) -> list[str]:
        """List the settings that the units read, or the wires that end there.

        Brian2 takes a name without a suffix in wires as a variable of their target.
        """
        readers = str((units, *(wires for wires in self.circuit.wires if wires.target == units.name)))
        return [name for name in self.circuit.settings if name in readers]

    def _values(self, part: str) -> dict[str, float | np.ndarray]:
        own = f"{part}."
        return {name.removeprefix(own): value for name, value in self.values.items() if name.startswith(own)}

    def _group(self, units: Units) -> GroupSpec:
        settings = self._settings(units)
        start = {name: self.values[name] for name in settings if name in self.values}
        return GroupSpec(
            units.name,
            units.size,
            (
                *units.equations,
                *self._stream_equations(units.streams),
                *(f"{name} : 1 (shared, constant)" for name in settings),
            ),
            "step",
            note=units.note,
            method=self.circuit.method,
            threshold=units.threshold,
            reset=units.reset if units.threshold is not None else (),
            refractory_ms=units.refractory_ms,
            regular=_regular(units.name, units.acts),
            tables=tuple(f"{name}_table" for name in units.streams),
            values={**self._values(units.name), **start},
        )

    def _synapses(self, wires: Wires) -> SynapsesSpec:
        return SynapsesSpec(
            wires.name,
            wires.source,
            wires.target,
            wires.equations,
            "step",
            note=wires.note,
            method=self.circuit.method,
            pathways=tuple(_pathways(wires)),
            sums=tuple(SumSpec(name, *when) for name, when in wires.sums.items()),
            regular=_regular(wires.name, wires.acts),
            tables=tuple(f"{name}_table" for name in self.circuit.tables),
            pairs=None if wires.pairs is None else (wires.pairs.pre, wires.pairs.post),
            values=self._values(wires.name),
        )


def _in_steps_of_texts(circuit: Circuit) -> bool:
    parts: tuple[Units | Wires, ...] = (*circuit.units, *circuit.wires)
    return any(act.every == "millisecond" for part in parts for act in part.acts)


def _regular(name: str, acts: tuple[Act, ...]) -> tuple[RegularSpec, ...]:
    return tuple(
        RegularSpec(f"{name}_act_{number}", act.lines, act.slot, act.order, act.every)
        for number, act in enumerate(acts)
    )


def _pathways(wires: Wires) -> Iterator[PathwaySpec]:
    if wires.on_pre:
        yield PathwaySpec("pre", "pre", wires.on_pre)
    if wires.late_pre:
        yield PathwaySpec("late_pre", "pre", wires.late_pre, "resets", 1 + LATE.index("late_pre"))
    if wires.on_post:
        yield PathwaySpec("post", "post", wires.on_post)
    if wires.late_post:
        yield PathwaySpec("late_post", "post", wires.late_post, "resets", 1 + LATE.index("late_post"))


def _monitors(units: Units) -> Iterator[MonitorSpec]:
    if units.record:
        yield MonitorSpec(f"{units.name}_{RECORDED}", units.name, units.record, "presentation", JUDGE, 1000)
    if units.spikes:
        yield MonitorSpec(f"{units.name}_{SPIKES}", units.name)
    if units.watch:
        yield MonitorSpec(f"{units.name}_{WATCHED}", units.name, units.watch)
