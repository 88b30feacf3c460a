"""What every connection offers. It keeps no parameters: they are handed in, so that rules, devices and tests can.

Rows R are time x batch merged; a connection never loops over time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from neurorules.contracts.efficacy import Efficacy

Shape = tuple[int, ...]


class Connection(ABC):
    """A map from presynaptic activity to postsynaptic current; linear but for connections that say otherwise."""

    recurrent: bool = False
    """Whether it reads its own population, one step late."""
    linear: bool = True
    """Whether `carry` is the same whatever the presynaptic activity."""

    @property
    def efficacy(self) -> Efficacy | None:
        """How much of a spike is transmitted after those before; None where that is all of it."""
        return None

    @abstractmethod
    def post_shape(self, pre: Shape) -> Shape:
        """Shape of the population it drives, for a presynaptic shape.

        Raises:
            UserError: the presynaptic shape does not fit.
        """

    @abstractmethod
    def fan_in(self, pre: Shape) -> int:
        """Synapses a postsynaptic neuron has, borders aside."""

    @abstractmethod
    def weight_shape(self, pre: Shape) -> Shape:
        """Shape of its weights."""

    @abstractmethod
    def initial(self, pre: Shape, generator: torch.Generator, scale: float) -> Tensor:
        """Fresh weights from the generator alone. Those of a linear connection have mean 0 and standard deviation
        `scale` / sqrt(fan-in); another connection chooses a spread of its own."""

    @abstractmethod
    def current(self, w: Tensor, pre: Tensor) -> Tensor:
        """Current (R, *post) from presynaptic activity (R, *pre), row by row; 0 for activity 0."""

    @abstractmethod
    def correlate(self, w: Tensor, post: Tensor, pre: Tensor) -> Tensor:
        """Sum over rows of post factor (R, *post) times pre factor (R, *pre), at every synapse; shaped like `w`.

        It is the adjoint of `current` with respect to the weights. A connection that is not linear may approximate it
        by a circuit of its own, which then points the same way.
        """

    @abstractmethod
    def transpose(self, w: Tensor, post: Tensor, pre: Shape) -> Tensor:
        """Carry (R, *post) backwards through weights `w` to (R, *pre). Global signals alone may call it.

        It is the adjoint of `current` with respect to the activity, for a connection that is linear.
        """

    def carry(self, w: Tensor, post: Tensor, pre: Tensor) -> Tensor:
        """`transpose` at the presynaptic activity (R, *pre) that was, which a connection that is not linear reads."""
        return self.transpose(w, post, tuple(pre.shape[1:]))


def uniform(shape: Shape, fan_in: int, scale: float, generator: torch.Generator) -> Tensor:
    """Uniform weights of standard deviation scale / sqrt(fan_in); scale sqrt(2) is He et al. 2015's."""
    bound = scale * (3.0 / fan_in) ** 0.5
    return (2 * torch.rand(shape, generator=generator) - 1) * bound
