"""Run a circuit in Brian2's numpy target, which needs no C++ compiler and computes the same numbers more slowly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.machine import Machine, Numbers, Span, Spikes
from neurorules.brian2_continuous.parts.objects import RECORDED, SPIKES, WATCHED, objects_of
from neurorules.brian2_objects.build import Objects, build
from neurorules.brian2_steps.backend import generating, load_brian2, run_network, runtime_device, told_in_a_line


@dataclass
class Interpreted(Machine):
    """A circuit that Brian2 runs in this process; its Brian2 objects are created for each run.

    Args:
        circuit: the equations.
    """

    circuit: Circuit
    objects: Objects | None = field(default=None, init=False)
    device: Any = field(default=None, init=False)
    span: Span = field(default=Span(0), init=False)

    def run(self, values: Numbers, tables: Mapping[str, np.ndarray], span: Span | None = None) -> None:
        brian2 = load_brian2()
        self.span = span = span or Span(self.circuit.presentations)
        begins, ends = span.times_ms(self.circuit.period_ms, self.circuit.dt_ms)
        self.device = runtime_device()
        with generating(brian2, "numpy", self.device), told_in_a_line(brian2):
            self.objects = objects = build(brian2, objects_of(self.circuit, values, tables))
            objects.network.t_ = begins / 1000
            # As in compiled code, the reader of the numbers checks whether they are finite.
            with np.errstate(all="ignore"):
                run_network(objects.network, (ends - begins) * brian2.ms)

    def read(self, name: str) -> np.ndarray:
        part, variable = name.split(".")
        with self._session() as objects:
            # An attribute will not do: `spikes` of a group is a property of Brian2, and not a variable.
            return np.array(objects.parts[part].state(variable, use_units=False)).reshape(-1)

    def recorded(self, units: str, variable: str) -> np.ndarray:
        with self._session() as objects:
            return np.array(getattr(objects.monitors[f"{units}_{RECORDED}"], variable)).T[not self.span.begun :]

    def watched(self, units: str, variable: str) -> np.ndarray:
        with self._session() as objects:
            return np.array(getattr(objects.monitors[f"{units}_{WATCHED}"], variable)).T

    def spikes(self, units: str) -> Spikes:
        with self._session() as objects:
            monitor = objects.monitors[f"{units}_{SPIKES}"]
            return Spikes(np.array(monitor.i), np.array(monitor.t) * 1000)

    @contextmanager
    def _session(self) -> Iterator[Objects]:
        """The objects of the last run, in a session on the device that they were made on."""
        if self.objects is None:
            raise LookupError("the circuit has not run yet, so it has no numbers to read")
        with generating(load_brian2(), "numpy", self.device):
            yield self.objects
