"""Compile a circuit to a program, which runs again with other numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.machine import Machine, Numbers, Span, Spikes
from neurorules.brian2_continuous.parts.objects import objects_of, whole_table
from neurorules.brian2_objects.build import Objects, build
from neurorules.brian2_steps.backend import told_in_a_line
from neurorules.brian2_steps.program import Owners, Program, program_of


@dataclass
class Compiled(Machine):
    """A circuit that runs as a compiled program.

    Args:
        circuit: the equations.
        program: the program that was compiled from them.
    """

    circuit: Circuit
    program: Program
    span: Span = field(default=Span(0), init=False)

    def run(self, values: Numbers, tables: Mapping[str, np.ndarray], span: Span | None = None) -> None:
        self.span = span or Span(self.circuit.presentations)
        targets = dict(self._targets(values)) | {
            f"span.{name}": float(one) for name, one in self.span._asdict().items()
        }
        shown = {f"{name}_table.values": whole_table(self.circuit, name, rows) for name, rows in tables.items()}
        self.program.run(targets | shown)

    def read(self, name: str) -> np.ndarray:
        return self.program.read(name)

    def recorded(self, units: str, variable: str) -> np.ndarray:
        # Values that are recorded before the first presentation belong to no presentation.
        return self._rows(units, f"record.{variable}")[not self.span.begun :]

    def watched(self, units: str, variable: str) -> np.ndarray:
        return self._rows(units, f"watched.{variable}")

    def spikes(self, units: str) -> Spikes:
        return Spikes(self.read(f"{units}_spikes.i"), self.read(f"{units}_spikes.t") * 1000)

    def _rows(self, units: str, recorded: str) -> np.ndarray:
        size = next(one.size for one in self.circuit.units if one.name == units)
        return self.read(f"{units}_{recorded}").reshape(-1, size)

    def _targets(self, values: Numbers) -> list[tuple[str, float | np.ndarray]]:
        """Values by variable of the program, in which each part has its own copy of a setting that it reads."""
        targets = []
        for name, value in values.items():
            if name in self.circuit.settings:
                targets += [(one, value) for one in self.program.files if one.endswith(f".{name}")]
            else:
                targets.append((name, value))
        return targets


def compile_circuit(circuit: Circuit) -> Compiled:
    """Take a circuit's program from the cache, or compile it, which takes 10 to 60 s.

    Raises:
        MissingExtra: brian2 is not installed.
        UserError: the compiler fails.
    """

    def make(brian2: ModuleType, started: Callable[[], None]) -> Owners:
        with told_in_a_line(brian2):
            objects = build(brian2, objects_of(circuit))
            clock = next(iter(objects.parts.values())).clock
            span = brian2.NeuronGroup(1, "presentations : 1\nbegun : 1", clock=clock, name="span")
            objects.network.add(span)
            started()
            # The network to run is known here; the next lines set for how long.
            objects.network.run(0 * brian2.ms, namespace={})
        for line in _run(circuit, objects, span, brian2.get_device().get_array_name):
            brian2.get_device().insert_code("main", line)
        return {**objects.parts, **objects.monitors, "span": span}

    return Compiled(circuit, program_of(f"circuit-{circuit.model_hash()}", make))


def _run(circuit: Circuit, objects: Objects, span: Any, array: Callable[[Any], str]) -> Iterator[str]:
    """Lines of C++ that run a network for the span that the program is given. Brian2 itself fixes the length of a run
    when it is compiled.

    Args:
        circuit: the equations.
        objects: their Brian2 objects.
        span: the group whose variables are the numbers of a `Span`.
        array: a function that returns the name of a variable's array in the program.
    """
    shown, begun = (f"brian::{array(span.variables[name])}[0]" for name in Span._fields)
    network, dt_s = f"brian::{objects.network.name}", circuit.dt_ms / 1000
    for clock in sorted(objects.network._clocks, key=lambda one: str(one.name)):
        t, dt = (array(clock.variables[name]) for name in ("t", "dt"))
        yield f"brian::{t}[0] = {begun} * brian::{dt}[0];"
    yield f"{network}.t = {begun} * {dt_s!r};"
    yield f"{network}.run({shown} * {circuit.period_ms / 1000!r} + {dt_s!r} - {network}.t, NULL, 10.0);"
