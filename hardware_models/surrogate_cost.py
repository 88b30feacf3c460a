"""The cost of a surrogate in hardware: operations of a neuron in a step, bits, and memory beside membranes.

The membrane is read for the neuron's own update, so that no surrogate adds traffic of membranes. psi is needed once for
each neuron and step, and multiplied once into the third factor there; a synapse adds the product where a spike comes.
Counts are read off the circuits that are named. Nothing was measured on a chip.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from neurorules.contracts.surrogate import Surrogate
from neurorules.language.errors import UserError
from neurorules.surrogates import Atan, Boxcar, Comparator, FastSigmoid, PowerOfTwo, Table, Triangle

Applied = Literal["nothing", "gate", "shift", "product"]
"""The way in which psi is multiplied into the third factor."""
ADD_PJ_A_BIT, PRODUCT_PJ_A_BIT, READ_PJ_A_BIT = 0.03 / 8, 0.2 / 64, 10 / 64
"""Energy of an addition by bits, of a product by the bits of one factor times those of the other, and of a bit that is
read from a memory of 8 KB, in pJ: 8-bit addition 0.03, 8-bit product 0.2, 64 bits read 10. Source: M. Horowitz, ISSCC
2014, 45 nm, 0.9 V. A comparison is counted as an addition, a shift or a gate as one of the third factor's bits
(estimated)."""
MEMBRANE_BITS, FACTOR_BITS = 16, 8
"""Widths that energies are given for: of a membrane and a threshold, as on ReckOn and Xylo, and of a third factor."""
LOOKUP_ENTRIES, LOOKUP_BITS = 64, 8
"""The table that stands for a function with a division (estimated)."""


class SurrogateCost(NamedTuple):
    """The cost of a surrogate.

    Args:
        comparisons, additions: their number for a neuron in a step, in the membrane's bits.
        bits: bits of the value of psi.
        shared_bits: bits of registers or tables, which all neurons share.
        read_bits: bits that a neuron reads from a table in a step.
        applied: the way in which psi meets the third factor.
        source: source of the circuit.
    """

    comparisons: int
    additions: int
    bits: int
    shared_bits: int
    read_bits: int
    applied: Applied
    source: str

    @property
    def pJ(self) -> float:
        """The energy of a neuron in a step, psi and its product, in pJ (estimated)."""
        evaluation = (self.comparisons + self.additions) * MEMBRANE_BITS * ADD_PJ_A_BIT + self.read_bits * READ_PJ_A_BIT
        if self.applied == "nothing":
            return evaluation
        each = PRODUCT_PJ_A_BIT * self.bits if self.applied == "product" else ADD_PJ_A_BIT
        return evaluation + FACTOR_BITS * each


VOLTAGE = SurrogateCost(0, 0, 1, 0, 0, "gate", "the membrane's sign, form=voltage of sigprop")
"""A rule that gates by a membrane above 0 has that bit already."""
RAW_VOLTAGE = SurrogateCost(0, 0, 0, 0, 0, "nothing", "Kohan et al. 2023, form=raw_voltage of sigprop")
"""A rule without a surrogate."""


def cost_of(surrogate: Surrogate) -> SurrogateCost:
    """The cost of one surrogate.

    Args:
        surrogate: with its options. A `fast_sigmoid` and an `atan` have a division, for which a table stands.

    Returns:
        Its operations, bits and memory.

    Raises:
        UserError: no circuit is known for it.
    """
    match surrogate:
        case Comparator():
            return SurrogateCost(1, 0, 1, 0, 0, "gate", "ODIN's RTL")
        case Boxcar():
            return SurrogateCost(2, 0, 1, 0, 0, "gate", "Kaiser et al. 2020")
        case Table(entries=entries, bits=bits):
            cuts, values = entries + 1, entries + 2  # two segments are open
            shared = cuts * MEMBRANE_BITS + values * (bits + 1)
            return SurrogateCost(cuts, 0, bits + 1, shared, 0, "product", "ReckOn's RTL, of 5 segments")
        case PowerOfTwo(octaves=octaves):
            return SurrogateCost(1, 1, math.ceil(math.log2(octaves + 1)), 0, 0, "shift", "ours")
        case Triangle():
            return SurrogateCost(1, 2, MEMBRANE_BITS, 0, 0, "product", "Bellec et al. 2018")
        case FastSigmoid() | Atan():
            shared = LOOKUP_ENTRIES * LOOKUP_BITS
            return SurrogateCost(0, 1, LOOKUP_BITS, shared, LOOKUP_BITS, "product", "a table, estimated")
    raise UserError(f"no circuit is known for the surrogate '{type(surrogate).__name__}'. Use boxcar or table")
