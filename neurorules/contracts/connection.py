"""The contract of connections: forward current, weight updates from two factors, and the backward map.

A connection stores no parameters. Its weights are passed to every method, so that a rule can change them, a hardware
model can store them, and a test can choose them. Rows R are time and batch merged: a connection never loops over time.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.efficacy import Efficacy
from neurorules.contracts.members import Contract

Shape = tuple[int, ...]


class Connection(Contract, kind="connection"):
    """A map from presynaptic activity to postsynaptic current; linear unless the class says otherwise."""

    recurrent: bool = False
    """Whether the connection reads the population that it drives, `delay` steps late."""
    delay: int = 1
    """The steps after which a recurrent connection brings a spike, >= 1."""
    linear: bool = True
    """Whether the current is linear in the presynaptic activity, so that the result of `carry` does not depend on
    it."""

    efficacy: Efficacy | None = None
    """Short-term plasticity of the synapses, or None where they transmit every spike in full."""

    @abstractmethod
    def post_shape(self, pre: Shape) -> Shape:
        """Shape of the population that the connection drives from a presynaptic population of shape `pre`.

        Raises:
            UserError: the connection cannot read a population of that shape.
        """

    @abstractmethod
    def fan_in(self, pre: Shape) -> int:
        """Number of synapses onto one postsynaptic neuron, >= 1, counted away from the borders of a map."""

    @abstractmethod
    def weight_shape(self, pre: Shape) -> Shape:
        """The shape of the connection's weights."""

    @abstractmethod
    def initial(self, pre: Shape, generator: torch.Generator, scale: float) -> Float[Tensor, "*weights"]:
        """Draw the initial weights of the connection.

        Args:
            pre: shape of the presynaptic population.
            generator: the only source of random numbers.
            scale: > 0. The weights of a linear connection have mean 0 and standard deviation `scale` / sqrt(fan-in); a
                nonlinear connection may choose a spread of its own.

        Returns:
            Weights of shape `weight_shape(pre)`, on the CPU.
        """

    @abstractmethod
    def current(self, w: Float[Tensor, "*weights"], pre: Float[Tensor, "R *pre"]) -> Float[Tensor, "R *post"]:
        """The current that presynaptic activity causes.

        Args:
            w: weights, of shape `weight_shape`.
            pre: presynaptic activity (R, *pre): spikes 0 or 1, or the graded activity of rate neurons and inputs.

        Returns:
            The current (R, *post), in the unit of the weights (thresholds per step). Each row is independent, and
            activity 0 gives current 0.
        """

    @abstractmethod
    def correlate(
        self, w: Float[Tensor, "*weights"], post: Float[Tensor, "R *post"], pre: Float[Tensor, "R *pre"]
    ) -> Float[Tensor, "*weights"]:
        """The weight update from a postsynaptic and a presynaptic factor, for every synapse.

        This is the adjoint of `current` with respect to the weights. A nonlinear connection may approximate the adjoint
        by a circuit of its own; the approximation must have a positive inner product with it.

        Args:
            w: weights, which give the shape; a nonlinear connection also reads their values.
            post: postsynaptic factor (R, *post).
            pre: presynaptic factor (R, *pre).

        Returns:
            Post factor times pre factor, summed over the rows, with the shape of `w`.
        """

    @abstractmethod
    def transpose(
        self, w: Float[Tensor, "*weights"], post: Float[Tensor, "R *post"], pre: Shape
    ) -> Float[Tensor, "R *pre"]:
        """Carry values of the postsynaptic population backwards. Only learning signals that need weight transport or
        feedback weights may call this.

        For a linear connection, this is the adjoint of `current` with respect to the activity.

        Args:
            w: the forward weights (weight transport), or other weights of the same shape (fixed feedback).
            post: one value per postsynaptic neuron (R, *post), such as the derivative of a loss with respect to the
                current.
            pre: shape of the presynaptic population.

        Returns:
            One value per presynaptic neuron (R, *pre).
        """

    def carry(
        self, w: Float[Tensor, "*weights"], post: Float[Tensor, "R *post"], pre: Float[Tensor, "R *pre"]
    ) -> Float[Tensor, "R *pre"]:
        """Carry errors backwards as `transpose` does, for connections whose backward map depends on the presynaptic
        activity.

        Args:
            w: the forward weights, or other weights of the same shape.
            post: one value per postsynaptic neuron (R, *post).
            pre: the presynaptic activity (R, *pre) of the forward pass; a linear connection reads only its shape.

        Returns:
            One value per presynaptic neuron (R, *pre).
        """
        return self.transpose(w, post, tuple(pre.shape[1:]))


def uniform(shape: Shape, fan_in: int, scale: float, generator: torch.Generator) -> Float[Tensor, "*weights"]:
    """Draw weights from a uniform distribution around 0. A scale of sqrt(2) is that of He et al. 2015.

    Args:
        shape: the shape of the weights.
        fan_in: synapses per postsynaptic neuron, >= 1.
        scale: standard deviation times sqrt(fan_in), > 0.
        generator: the only source of random numbers.

    Returns:
        Weights in (-b, b) with b = scale sqrt(3 / fan_in), on the CPU.
    """
    bound = scale * (3.0 / fan_in) ** 0.5
    return (2 * torch.rand(shape, generator=generator) - 1) * bound
