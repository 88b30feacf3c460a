"""Short-term plasticity: the share of a spike that a synapse transmits, given the earlier spikes of its neuron."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

VARIABLES = ("use", "depleted")
"""State of each presynaptic neuron, 0 at rest: u, the share of its resources that a spike uses, and D, the missing
share of the resources."""


class Efficacy(NamedTuple):
    """Release and resources of presynaptic neurons, computed step by step.

    Between spikes, u and the missing resources D = 1 - R decay. When a spike arrives, u grows by U (1 - u), the synapse
    transmits the share u R / U of the spike (all of it from rest), and u R is used up. On a grid of steps this is
    exactly the recursion from spike to spike. Source: Tsodyks & Markram 1997 (depression), Markram, Wang & Tsodyks 1998
    (facilitation).

    Args:
        release: U, the share of the resources that a first spike uses, in (0, 1].
        missing: decay of D per step, in [0, 1).
        holds: decay of u per step, in [0, 1).
    """

    release: float
    missing: float
    holds: float

    def step(
        self, use: Float[Tensor, "B *pre"], depleted: Float[Tensor, "B *pre"], arriving: Float[Tensor, "B *pre"]
    ) -> tuple[Float[Tensor, "B *pre"], Float[Tensor, "B *pre"], Float[Tensor, "B *pre"]]:
        """Run one time step of short-term plasticity.

        Args:
            use: u after the previous step, (B, *pre), in [0, 1].
            depleted: D after the previous step, (B, *pre), in [0, 1].
            arriving: presynaptic activity of this step (B, *pre); any value other than 0 counts as a spike.

        Returns:
            The transmitted activity, u after the step, and D after the step; (B, *pre) each.
        """
        event = (arriving != 0).to(arriving.dtype)
        use = self.holds * use
        use = use + self.release * (1 - use) * event
        depleted = self.missing * depleted
        used = use * (1 - depleted)
        return arriving * (used / self.release), use, depleted + used * event

    def brian2(self) -> tuple[str, ...]:
        """Return this step as Brian2 statements, which read the arriving activity `I_in` and write the transmitted one
        `S`."""
        return (
            f"use = {self.holds!r}*use",
            f"use = use + {self.release!r}*(1.0 - use)*int(I_in != 0)",
            f"depleted = {self.missing!r}*depleted",
            f"S = I_in*(use*(1.0 - depleted)/{self.release!r})",
            "depleted = depleted + use*(1.0 - depleted)*int(I_in != 0)",
        )
