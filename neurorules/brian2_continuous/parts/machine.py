"""What runs a circuit, whatever it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

Numbers = Mapping[str, float | np.ndarray]
"""Variables by "part.variable", flat, and settings by name."""


class Spikes(NamedTuple):
    """Spikes in the order of time.

    units: (N,) which fired.
    times_ms: (N,) start of the step.
    """

    units: np.ndarray
    times_ms: np.ndarray


class Machine(ABC):
    """Runs of K presentations, one after another; between them nothing is kept but what the caller reads."""

    @abstractmethod
    def run(self, values: Numbers, tables: Mapping[str, np.ndarray]) -> None:
        """One run.

        Args:
            values: what variables and settings begin with.
            tables: rows by name, (K, width) or (K,).

        Raises:
            RuntimeError: the model failed.
        """

    @abstractmethod
    def read(self, name: str) -> np.ndarray:
        """A variable "part.variable" as the last run left it, flat."""

    @abstractmethod
    def recorded(self, units: str, variable: str) -> np.ndarray:
        """What was recorded, (K, size): a row as each presentation ended."""

    @abstractmethod
    def watched(self, units: str, variable: str) -> np.ndarray:
        """What was recorded at every step, (steps, size); the last step is the first after the last presentation."""

    @abstractmethod
    def spikes(self, units: str) -> Spikes:
        """Spikes of units that record them."""
