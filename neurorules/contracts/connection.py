"""The contract of connections: current from presynaptic activity, updates from two factors, and the way back.

A connection keeps no parameters. Its weights are handed to every method, so that a rule may change them, a hardware
model may store them and a test may choose them. Rows R are time and batch merged: a connection never loops over time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.efficacy import Efficacy

Shape = tuple[int, ...]


class Connection(ABC):
    """A map from presynaptic activity to postsynaptic current, linear unless the class says otherwise."""

    recurrent: bool = False
    """Whether the connection reads the population that it drives, one step late."""
    linear: bool = True
    """Whether the current is linear in the presynaptic activity, so that `carry` gives the same for any activity."""

    @property
    def efficacy(self) -> Efficacy | None:
        """Short-term plasticity of the synapses, or None where they transmit every spike in full."""
        return None

    @abstractmethod
    def post_shape(self, pre: Shape) -> Shape:
        """Shape of the population that the connection drives from a presynaptic population of shape `pre`.

        Raises:
            UserError: the connection cannot read a population of that shape.
        """

    @abstractmethod
    def fan_in(self, pre: Shape) -> int:
        """Number of synapses onto one postsynaptic neuron, >= 1, where no border of a map cuts any off."""

    @abstractmethod
    def weight_shape(self, pre: Shape) -> Shape:
        """The shape of the connection's weights."""

    @abstractmethod
    def initial(self, pre: Shape, generator: torch.Generator, scale: float) -> Float[Tensor, "*weights"]:
        """Draw the weights that learning begins with.

        Args:
            pre: shape of the presynaptic population.
            generator: the only source of random numbers.
            scale: > 0; weights of a linear connection have mean 0 and standard deviation `scale` / sqrt(fan-in),
                another connection chooses a spread of its own.

        Returns:
            Weights of shape `weight_shape(pre)`, on the CPU.
        """

    @abstractmethod
    def current(self, w: Float[Tensor, "*weights"], pre: Float[Tensor, "R *pre"]) -> Float[Tensor, "R *post"]:
        """The current that presynaptic activity brings.

        Args:
            w: weights, of shape `weight_shape`.
            pre: presynaptic activity (R, *pre): spikes 0 or 1, or the graded activity of rate neurons and inputs.

        Returns:
            The current (R, *post), in thresholds per step where the weights are; row by row, and 0 for activity 0.
        """

    @abstractmethod
    def correlate(
        self, w: Float[Tensor, "*weights"], post: Float[Tensor, "R *post"], pre: Float[Tensor, "R *pre"]
    ) -> Float[Tensor, "*weights"]:
        """The update that a postsynaptic and a presynaptic factor make together at every synapse.

        It is the adjoint of `current` with respect to the weights. A connection that is not linear may approximate it
        by a circuit of its own, which then points the same way.

        Args:
            w: weights, which give the shape; a connection that is not linear also reads their values.
            post: postsynaptic factor (R, *post).
            pre: presynaptic factor (R, *pre).

        Returns:
            Post factor times pre factor, summed over the rows, of the shape of `w`.
        """

    @abstractmethod
    def transpose(
        self, w: Float[Tensor, "*weights"], post: Float[Tensor, "R *post"], pre: Shape
    ) -> Float[Tensor, "R *pre"]:
        """Carry values of the postsynaptic population backwards. Only global learning signals may call this.

        For a linear connection it is the adjoint of `current` with respect to the activity.

        Args:
            w: the forward weights (weight transport), or others of their shape (fixed feedback).
            post: values by postsynaptic neuron (R, *post), such as derivatives of a loss by the current.
            pre: shape of the presynaptic population.

        Returns:
            Values by presynaptic neuron (R, *pre): the adjoint of `current`.
        """

    def carry(
        self, w: Float[Tensor, "*weights"], post: Float[Tensor, "R *post"], pre: Float[Tensor, "R *pre"]
    ) -> Float[Tensor, "R *pre"]:
        """Carry errors back as `transpose` does, for connections whose way back depends on the presynaptic activity.

        Args:
            w: the forward weights, or others of their shape.
            post: values by postsynaptic neuron (R, *post).
            pre: the presynaptic activity (R, *pre) that went forward; a linear connection reads its shape alone.

        Returns:
            Values by presynaptic neuron (R, *pre).
        """
        return self.transpose(w, post, tuple(pre.shape[1:]))


def uniform(shape: Shape, fan_in: int, scale: float, generator: torch.Generator) -> Float[Tensor, "*weights"]:
    """Draw weights from a uniform distribution about 0. A scale of sqrt(2) is that of He et al. 2015.

    Args:
        shape: of the weights.
        fan_in: synapses per postsynaptic neuron, >= 1.
        scale: standard deviation times sqrt(fan_in), > 0.
        generator: the only source of random numbers.

    Returns:
        Weights in (-b, b) with b = scale sqrt(3 / fan_in), on the CPU.
    """
    bound = scale * (3.0 / fan_in) ** 0.5
    return (2 * torch.rand(shape, generator=generator) - 1) * bound
