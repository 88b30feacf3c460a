"""The symmetric five-variable system itself: its numbers, matrix, fixed points and energy.

A reconstruction: the equations of the BSP papers (Jiang & Fu 2024/25) are not public. These satisfy every public
statement about them: a closed ring of five predator-prey variables, parameters k1, k2, k3, explicit fixed points, a
stable and an oscillating regime, and a reverse circuit that is the same ring run through in the opposite sense.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Literal

import torch
from torch import Tensor

from neurorules.language.ranges import NonNegative, Positive, Range, ranged

ELEMENTS = ("J", "S", "M", "H", "T")
"""Metal, water, wood, fire and earth: each variable feeds on the previous one, and J feeds on T."""
NODE_TAPS = (0.0, 1.0, 0.0, 0.0, 0.0)
"""The output of a neuron: the displacement of S."""
EDGE_TAPS = (0.0, 1.0, 0.0, 0.0, 1.0)
"""The output of a connection: the displacements of S, which J feeds, and of T, which J eats. Together they give a
signed weight."""
RingSteps = Annotated[int, Range("[1, 1024]")]
"""The number of Heun steps of one run."""
LOG_REST = (-1.5, 1.0)
"""The range of ln x*; further out the explicit steps become unstable."""


ModeName = Literal["exact", "final", "fixed", "lead", "discrete"]
"""The names of the values of `Mode` as users write them."""


class Mode(IntEnum):
    """The way in which the reverse signal travels. The numbers are those of rings.c.

    EXACT: the mirrored ring linearised along the whole forward run.  FINAL: around its last state.
    FIXED: around the fixed point.  LEAD: the leading term of the shortest causal path, no run at all.
    DISCRETE: the adjoint of the forward run's own Heun steps, to rounding.
    """

    EXACT = 0
    FINAL = 1
    FIXED = 2
    LEAD = 3
    DISCRETE = 4

    @classmethod
    def of(cls, name: ModeName) -> Mode:
        """The mode that a user names."""
        return cls[name.upper()]


@ranged("five-element ring")
@dataclass(frozen=True)
class RingSystem:
    """dx_i/dt = x_i (k1_i - k2 x_i + k3 x_{i-1} - k3 x_{i+1} + u_i), with k1 = -A x*, so that x* can be chosen freely.

    In z = ln(x / x*): z' = A (x - x*) + u, which keeps x positive. u drives J alone and is saturated.

    Args:
        k2: self-limitation, >= 0. If it is positive, the ring propagates a signal; at 0 it oscillates (x circles x*).
        k3: coupling, > 0.
        steps: the number of Heun steps of a run, 1 to 1024.
        h: length of a step, > 0; T = steps h must stay short: at rest under a drive the system is linear.
        saturation: largest size of the drive, > 0: u = saturation tanh(u / saturation).

    Raises:
        UserError: a number is out of range.
    """

    k2: NonNegative = 0.5
    k3: Positive = 1.0
    steps: RingSteps = 12
    h: Positive = 0.15
    saturation: Positive = 3.0

    def saturated(self, drive: Tensor) -> Tensor:
        """The saturated drive of J, the u in the docstring of the class; of any shape."""
        return self.saturation * torch.tanh(drive / self.saturation)

    def saturation_slope(self, saturated: Tensor) -> Tensor:
        """The derivative of `saturated` with respect to the drive, from the saturated drive."""
        return 1 - (saturated / self.saturation).square()

    def matrix(self) -> Tensor:
        """The matrix A (5, 5), in float64."""
        return coupling_matrix(*(torch.full((5,), rate, dtype=torch.float64) for rate in (self.k2, self.k3)))


def coupling_matrix(k2: Tensor, k3: Tensor) -> Tensor:
    """The matrix A = -diag(k2) + N, with N[i, i-1] = k3_i = -N[i-1, i]: variable i gains what the previous one loses.

    Args:
        k2: self-limitation of each variable, (5,).
        k3: coupling of each variable to the one before it, (5,).

    Returns:
        A (5, 5).
    """
    a = -torch.diag(k2)
    for i in range(5):
        a[i, i - 1] += k3[i]
        a[i - 1, i] -= k3[i]
    return a


def fixed_point(a: Tensor, k1: Tensor) -> Tensor:
    """The fixed point of a ring. It exists where every k2 > 0.

    Args:
        a: matrix A (5, 5).
        k1: growth rates (5,).

    Returns:
        x* (5,) of A x* = -k1.
    """
    return torch.linalg.solve(a, -k1)


def fixed_points(log_rest: Tensor) -> Tensor:
    """The fixed points x* from the learned ln x*, limited to 0.22 .. 2.7, since the explicit steps are unstable further
    out.
    """
    return log_rest.clamp(*LOG_REST).exp()


def field(a: Tensor, x: Tensor, rest: Tensor, drive: Tensor) -> Tensor:
    """The rate of change of a ring.

    Args:
        a: matrix A (5, 5).
        x: state (..., 5), > 0.
        rest: x* (5,).
        drive: u per capita, (..., 5).

    Returns:
        dx/dt (..., 5).
    """
    return x * ((x - rest) @ a.T + drive)


def energy(x: Tensor, rest: Tensor) -> Tensor:
    """The energy V = sum_i x_i - x*_i - x*_i ln(x_i / x*_i): conserved where k2 = 0, falling where k2 > 0; 0 at x*.

    dV/dt = -sum_i k2_i (x_i - x*_i)^2 in a free run. Source: Volterra 1931 for predator-prey systems.

    Args:
        x: state (..., 5), > 0.
        rest: x* (5,), > 0.

    Returns:
        V (...), >= 0.
    """
    return (x - rest - rest * torch.log(x / rest)).sum(-1)
