"""One five-variable ring per synapse, whose five fixed points learn (BSP reconstruction, method 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.connection import Connection, Shape
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, NonNegative, Positive, ranged
from neurorules.native.rings import (
    Mode,
    ModeName,
    RingSteps,
    RingSystem,
    fixed_point_gradient,
    fixed_points,
    reverse_edges,
    run_edges,
)


@ranged("connection 'ring'")
@dataclass(frozen=True)
class Ring(Connection):
    """I_n = gain / sqrt(fan-in) * sum_m o_nm, where o = (x_S - x*_S) + (x_T - x*_T) of a ring driven by s_m for T =
    steps h.

    To leading order o = k3 x*_J (x*_S - x*_T) T^2/2 s, so the fixed point acts as a signed weight. The learned
    parameters are ln x*, (5, I, O), kept in [-1.5, 1]; `correlate` runs the reverse circuit at each synapse. A ring
    with input 0 stays at rest and is not run. A reconstruction (`neurorules cite bsp`).

    Args:
        size: number of postsynaptic neurons O, >= 1.
        mode: mode of the reverse signal (see `signals.reverse_ring`).
        gain: factor of the summed output, > 0.
        spread: standard deviation of the initial ln x*, >= 0.
        k2, k3, steps, h, saturation: settings of the rings (see `native.rings.RingSystem`).
    """

    size: Count
    mode: ModeName = "final"
    gain: Positive = 6.0
    spread: NonNegative = 0.2
    k2: NonNegative = 0.5
    k3: Positive = 1.0
    steps: RingSteps = 6
    h: Positive = 0.3
    saturation: Positive = 3.0
    linear = False

    @property
    def system(self) -> RingSystem:
        """The settings that all rings of the connection share."""
        return RingSystem(self.k2, self.k3, self.steps, self.h, self.saturation)

    def post_shape(self, pre: Shape) -> Shape:
        if len(pre) != 1:
            raise UserError(f"a ring connection reads a flat population, found shape {pre}. Flatten it first")
        return (self.size,)

    def fan_in(self, pre: Shape) -> int:
        return pre[0]

    def weight_shape(self, pre: Shape) -> Shape:
        return (5, pre[0], self.size)

    def initial(self, pre: Shape, generator: torch.Generator, scale: float) -> Float[Tensor, "5 I O"]:
        return self.spread * torch.randn(self.weight_shape(pre), generator=generator)

    def scale(self, pre: Float[Tensor, "R I"]) -> float:
        """The factor gain / sqrt(fan-in) by which the sum over rings is multiplied."""
        return self.gain / pre.shape[1] ** 0.5

    def current(self, w: Float[Tensor, "5 I O"], pre: Float[Tensor, "R I"]) -> Float[Tensor, "R O"]:
        return run_edges(self.system, pre, fixed_points(w)) * self.scale(pre)

    def correlate(
        self, w: Float[Tensor, "5 I O"], post: Float[Tensor, "R O"], pre: Float[Tensor, "R I"]
    ) -> Float[Tensor, "5 I O"]:
        mode = Mode.of(self.mode)
        return fixed_point_gradient(self.system, mode, post * self.scale(pre), pre, fixed_points(w))

    def transpose(self, w: Float[Tensor, "5 I O"], post: Float[Tensor, "R O"], pre: Shape) -> Float[Tensor, "R I"]:
        return self.carry(w, post, post.new_zeros(post.shape[0], *pre))

    def carry(
        self, w: Float[Tensor, "5 I O"], post: Float[Tensor, "R O"], pre: Float[Tensor, "R I"]
    ) -> Float[Tensor, "R I"]:
        mode = Mode.of(self.mode)
        return reverse_edges(self.system, mode, post * self.scale(pre), pre, fixed_points(w))


ENTRY = Ring
