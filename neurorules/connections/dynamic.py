"""Every presynaptic neuron to every postsynaptic one, through synapses that tire and recover."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neurorules.connections._efficacy import Efficacy
from neurorules.connections._matrix import Matrix
from neurorules.language.errors import UserError


@dataclass(frozen=True)
class Dynamic(Matrix):
    """I = W (s u R / U), W of shape (O, I): short-term depression and facilitation (Tsodyks & Markram 1997).

    W is what synapses at rest transmit. Texts read what arrives: `S_pre` is s u R / U. State starts at rest with each
    trial and phase; nothing is carried back through it.

    Args:
        size: number of postsynaptic neurons O, >= 1.
        release: U, share of the resources that a first spike uses, in (0, 1].
        recovery: time constant of the resources R in steps, > 0.
        facilitation: time constant of the release u in steps, >= 0; 0 for none, u = U.
    """

    release: float = 0.5
    recovery: float = 10.0
    facilitation: float = 0.0

    def __post_init__(self) -> None:
        for name, value, fits, range_ in (
            ("release", self.release, 0 < self.release <= 1, "in (0, 1]"),
            ("recovery", self.recovery, 0 < self.recovery < math.inf, "> 0 steps"),
            ("facilitation", self.facilitation, 0 <= self.facilitation < math.inf, ">= 0 steps"),
        ):
            if not fits:
                raise UserError(f"connection 'dynamic': {name} is {value:g}. Choose one {range_}")

    @property
    def efficacy(self) -> Efficacy:
        holds = math.exp(-1 / self.facilitation) if self.facilitation else 0.0
        return Efficacy(self.release, math.exp(-1 / self.recovery), holds)


ENTRY = Dynamic
