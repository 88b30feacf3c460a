"""Short-term plasticity: what of a spike is transmitted, by what the presynaptic neuron has sent before."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

VARIABLES = ("use", "depleted")
"""State of a presynaptic neuron, 0 at rest: the share u of its resources that a spike uses, and the share missing."""


class Efficacy(NamedTuple):
    """Release and resources of the presynaptic neuron, in steps of a grid.

    Between spikes u and the missing resources D = 1 - R decay. Where something arrives, u grows by U (1 - u), the share
    u R / U of it is transmitted (all of it from rest), and u R is used up. On a grid this is exactly the recursion from
    spike to spike. Source: Tsodyks & Markram 1997 (depression), Markram, Wang & Tsodyks 1998 (facilitation).

    Args:
        release: U, in (0, 1].
        missing: decay of D a step, in [0, 1).
        holds: decay of u a step, in [0, 1).
    """

    release: float
    missing: float
    holds: float

    def step(self, use: Tensor, depleted: Tensor, arriving: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One step: what is transmitted, u and D after it; (B, *pre) each. An arrival is whatever is not 0."""
        event = (arriving != 0).to(arriving.dtype)
        use = self.holds * use
        use = use + self.release * (1 - use) * event
        depleted = self.missing * depleted
        used = use * (1 - depleted)
        return arriving * (used / self.release), use, depleted + used * event

    def brian2(self) -> tuple[str, ...]:
        """The same of `I_in`, what arrives, as statements that leave `S`, what is transmitted."""
        return (
            f"use = {self.holds!r}*use",
            f"use = use + {self.release!r}*(1.0 - use)*int(I_in != 0)",
            f"depleted = {self.missing!r}*depleted",
            f"S = I_in*(use*(1.0 - depleted)/{self.release!r})",
            "depleted = depleted + use*(1.0 - depleted)*int(I_in != 0)",
        )
