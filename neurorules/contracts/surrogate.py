"""The contract of surrogates: the pseudo-derivative of a spike, and a function whose derivative it is."""

from __future__ import annotations

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.members import Contract


class Surrogate(Contract, kind="surrogate"):
    """The pseudo-derivative psi of a spike with respect to the membrane, and a primitive f of it: f' = psi."""

    @abstractmethod
    def psi(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Pseudo-derivative of the spike, >= 0, where the membrane is `x` above the threshold (any shape)."""

    @abstractmethod
    def primitive(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """A function of `x` (any shape) whose derivative is `psi`. Rules must not depend on its additive constant."""
