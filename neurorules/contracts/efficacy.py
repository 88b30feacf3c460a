"""Short-term plasticity: how much of a spike is transmitted, given what the presynaptic neuron has sent before."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

VARIABLES = ("use", "depleted")
"""State of each presynaptic neuron, 0 at rest: the share u of its resources that a spike uses, and the share D of them
that is missing."""


class Efficacy(NamedTuple):
    """Release and resources of presynaptic neurons, step by step.

    Between spikes, u and the missing resources D = 1 - R decay. Where something arrives, u grows by U (1 - u), the
    share u R / U of it is transmitted (all of it from rest), and u R is used up. On a grid of steps this is exactly the
    recursion from spike to spike. Source: Tsodyks & Markram 1997 (depression), Markram, Wang & Tsodyks 1998
    (facilitation).

    Args:
        release: U, the share of the resources that a first spike uses, in (0, 1].
        missing: factor by which D decays in one step, in [0, 1).
        holds: factor by which u decays in one step, in [0, 1).
    """

    release: float
    missing: float
    holds: float

    def step(
        self, use: Float[Tensor, "B *pre"], depleted: Float[Tensor, "B *pre"], arriving: Float[Tensor, "B *pre"]
    ) -> tuple[Float[Tensor, "B *pre"], Float[Tensor, "B *pre"], Float[Tensor, "B *pre"]]:
        """Run one time step of short-term plasticity.

        Args:
            use: u after the step before, (B, *pre), in [0, 1].
            depleted: D after the step before, (B, *pre), in [0, 1].
            arriving: presynaptic activity of this step (B, *pre); whatever is not 0 counts as a spike.

        Returns:
            What is transmitted, u and D after the step; (B, *pre) each.
        """
        event = (arriving != 0).to(arriving.dtype)
        use = self.holds * use
        use = use + self.release * (1 - use) * event
        depleted = self.missing * depleted
        used = use * (1 - depleted)
        return arriving * (used / self.release), use, depleted + used * event

    def brian2(self) -> tuple[str, ...]:
        """Give this step as Brian2 statements, which read what arrives as `I_in` and write what is sent on as `S`."""
        return (
            f"use = {self.holds!r}*use",
            f"use = use + {self.release!r}*(1.0 - use)*int(I_in != 0)",
            f"depleted = {self.missing!r}*depleted",
            f"S = I_in*(use*(1.0 - depleted)/{self.release!r})",
            "depleted = depleted + use*(1.0 - depleted)*int(I_in != 0)",
        )
