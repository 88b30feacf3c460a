"""Full connection with short-term depression and facilitation (Tsodyks-Markram synapses)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from neurorules.connections._products import Matrix
from neurorules.contracts.efficacy import Efficacy
from neurorules.language.ranges import NonNegative, Positive, Range, ranged


@ranged("connection 'dynamic'")
@dataclass(frozen=True)
class Dynamic(Matrix):
    """I = W (s u R / U), W of shape (O, I): short-term depression and facilitation (Tsodyks & Markram 1997).

    W is the weight of a synapse at rest. Texts read the transmitted activity: their `S_pre` is s u R / U. Synapses are
    at rest when a phase of a trial begins. Errors are not carried back through u and R.

    Args:
        size: number of postsynaptic neurons O, >= 1.
        release: U, share of the resources that a first spike uses, in (0, 1].
        recovery: time constant of the resources R in steps, > 0.
        facilitation: time constant of the release u in steps, >= 0; 0 for none, u = U.
    """

    release: Annotated[float, Range("(0, 1]")] = 0.5
    recovery: Positive = 10.0
    facilitation: NonNegative = 0.0

    @property
    def efficacy(self) -> Efficacy:  # type: ignore[override]
        """Release and recovery of the resources of a synapse."""
        holds = math.exp(-1 / self.facilitation) if self.facilitation else 0.0
        return Efficacy(self.release, math.exp(-1 / self.recovery), holds)


ENTRY = Dynamic
