"""The interface of the machines that run a circuit: a compiled program, or Brian2 in this process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

Numbers = Mapping[str, float | np.ndarray]
"""Values of variables by "part.variable", a scalar or a flat array each, and of settings by name."""


class Spikes(NamedTuple):
    """Spikes in the order of time.

    Args:
        units: index of the unit of each spike, (n,).
        times_ms: time at which the integration step of each spike begins, in ms, (n,).
    """

    units: np.ndarray
    times_ms: np.ndarray


class Span(NamedTuple):
    """The steps of one run. It ends with the first step of the presentation behind its last one, in which that one is
    learned from, so that a run which goes on begins with the second step of its first presentation.

    Args:
        presentations: number n of presentations, from 1 to the circuit's K.
        begun: whether the run before has taken the first step of the first of them.
    """

    presentations: int
    begun: bool = False

    def times_ms(self, period_ms: float, dt_ms: float) -> tuple[float, float]:
        """The times at which the first step begins and the last step ends, in ms since the first presentation began.

        Args:
            period_ms: length of a presentation in ms, > 0.
            dt_ms: integration step in ms, > 0.

        Returns:
            Both times.
        """
        return self.begun * dt_ms, self.presentations * period_ms + dt_ms


class Machine(ABC):
    """Runs a circuit, at most K presentations at a time.

    A run begins with the values that it is given, so the caller reads the values to continue with, and passes them to
    the next run.
    """

    @abstractmethod
    def run(self, values: Numbers, tables: Mapping[str, np.ndarray], span: Span | None = None) -> None:
        """Run presentations of samples, one after the other.

        Args:
            values: initial values of variables and settings.
            tables: the values to present, by name of the table, at most (K + 1, width) or (K + 1,). Rows that are
                missing are 0.
            span: the presentations of the run; None for all K of them, from their first step on.

        Raises:
            RuntimeError: the compiled program failed.
            UserError: the disk or the memory is full.
        """

    @abstractmethod
    def read(self, name: str) -> np.ndarray:
        """Read the variable "part.variable" at the end of the last run, as a flat array."""

    @abstractmethod
    def recorded(self, units: str, variable: str) -> np.ndarray:
        """Read the values that were recorded once in each presentation.

        Args:
            units: name of the population.
            variable: one of its `Units.record`.

        Returns:
            Values (n, N), one row for the end of each presentation.
        """

    @abstractmethod
    def watched(self, units: str, variable: str) -> np.ndarray:
        """Read the values that were recorded at every integration step.

        Args:
            units: name of the population.
            variable: one of its `Units.watch`.

        Returns:
            Values (steps, N), one row for the end of each step of the run's span.
        """

    @abstractmethod
    def spikes(self, units: str) -> Spikes:
        """Read the spikes of a population whose `Units.spikes` is true."""
