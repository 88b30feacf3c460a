"""The interface of what runs a circuit: a compiled program, or Brian2 in this process."""

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


class Machine(ABC):
    """Runs a circuit, K presentations at a time.

    A run begins with the values that it is given, so a caller reads what is to be carried on and hands it to the next.
    """

    @abstractmethod
    def run(self, values: Numbers, tables: Mapping[str, np.ndarray]) -> None:
        """Run K presentations of samples, one after the other.

        Args:
            values: initial values of variables and settings.
            tables: what is presented, by name of the table, (K, width) or (K,).

        Raises:
            RuntimeError: the compiled program failed.
            UserError: the disk or the memory is full.
        """

    @abstractmethod
    def read(self, name: str) -> np.ndarray:
        """Read the variable "part.variable" at the end of the last run, as a flat array."""

    @abstractmethod
    def recorded(self, units: str, variable: str) -> np.ndarray:
        """Read what was recorded once in each presentation.

        Args:
            units: name of the population.
            variable: one of its `Units.record`.

        Returns:
            Values (K, N), one row for the end of each presentation.
        """

    @abstractmethod
    def watched(self, units: str, variable: str) -> np.ndarray:
        """Read what was recorded at every integration step.

        Args:
            units: name of the population.
            variable: one of its `Units.watch`.

        Returns:
            Values (steps, N), one row for the end of each step. A run lasts one step longer than its presentations, so
            that what happens at the end of the last one is recorded too.
        """

    @abstractmethod
    def spikes(self, units: str) -> Spikes:
        """Read the spikes of a population whose `Units.spikes` is true."""
