"""Compile a circuit to a program, which runs again with other numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.machine import Machine, Numbers, Spikes
from neurorules.brian2_continuous.parts.objects import objects_of
from neurorules.brian2_objects.build import build
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

    def run(self, values: Numbers, tables: Mapping[str, np.ndarray]) -> None:
        targets = dict(self._targets(values))
        self.program.run(targets | {f"{name}_table.values": rows for name, rows in tables.items()})

    def read(self, name: str) -> np.ndarray:
        return self.program.read(name)

    def recorded(self, units: str, variable: str) -> np.ndarray:
        return self._rows(units, f"record.{variable}")[1:]  # The first row was recorded before the first presentation.

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
        objects = build(brian2, objects_of(circuit))
        started()
        duration = circuit.presentations * circuit.period_ms + circuit.dt_ms
        objects.network.run(duration * brian2.ms, namespace={})
        return {**objects.parts, **objects.monitors}

    return Compiled(circuit, program_of(f"circuit-{circuit.model_hash()}", make))
