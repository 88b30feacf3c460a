"""What every surrogate offers: the pseudo-derivative of a spike, and a function whose derivative it is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


class Surrogate(ABC):
    """A pseudo-derivative and its primitive."""

    @abstractmethod
    def psi(self, x: Tensor) -> Tensor:
        """Pseudo-derivative of the spike at distance x from the threshold."""

    @abstractmethod
    def primitive(self, x: Tensor) -> Tensor:
        """A function whose derivative is `psi`; only its shape matters, not its constant."""
