"""Loihi's synapses: 8 bits of weight beside the sign, an exponent for each population, and what arrives at a neuron.

A weight is clipped to its sign mode's range, loses its lowest bits where fewer are stored, and what arrives is the sum
of the weights of the spikes, shifted by the exponent:

    mixed [-256, 255] loses 9 - bits bits, excitatory [0, 255] and inhibitory [-255, 0] lose 8 - bits
    a = sum << exponent where the exponent is above 0, else sum >> -exponent, rounded down

Source: Lava (lava-nc 0.10.0), `lava.utils.weightutils` and `PyDenseModelBitAcc`. With 8 bits, mixed weights are thus
even numbers. Lava hands a on one step later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from hardware_models.loihi.widths import WEIGHT_BITS
from neurorules.language.errors import UserError
from neurorules.language.ranges import Range, ranged

SignMode = Literal["mixed", "excitatory", "inhibitory"]
"""Which signs the weights of a population may have."""
RANGES: dict[str, tuple[int, int]] = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}
"""The lowest and highest weight of each sign mode."""
SINGLE_EXACT = 1 << 24
"""Up to here single precision holds every whole number."""


@ranged("Loihi's synapse")
@dataclass(frozen=True)
class Synapse:
    """The format in which a population of Loihi's synapses stores weights and sums them up; the module says how.

    Args:
        bits: bits of a weight beside its sign, 1..8.
        exponent: exponent of the sum, -8..7.
        signs: which signs the weights may have.

    Raises:
        UserError: a number that the chip's register cannot hold, or another sign mode.
    """

    bits: Annotated[int, Range(f"[1, {WEIGHT_BITS}]")] = WEIGHT_BITS
    exponent: Annotated[int, Range("[-8, 7]")] = 0
    signs: SignMode = "mixed"

    def __post_init__(self) -> None:
        if self.signs not in RANGES:
            raise UserError(f"Loihi's synapse: signs is {self.signs!r:.40}. Give one of: {', '.join(RANGES)}")

    @property
    def lost_bits(self) -> int:
        """The number of a weight's lowest bits that are not stored."""
        return WEIGHT_BITS - self.bits + (1 if self.signs == "mixed" else 0)

    @property
    def grain(self) -> int:
        """The distance between neighbouring weights: 2 to the power of the bits that are lost."""
        return 1 << self.lost_bits

    @property
    def lowest(self) -> int:
        """The lowest weight that is stored."""
        return -((-RANGES[self.signs][0] >> self.lost_bits) << self.lost_bits)

    @property
    def highest(self) -> int:
        """The highest weight that is stored."""
        return (RANGES[self.signs][1] >> self.lost_bits) << self.lost_bits

    def stored(self, weights: Tensor) -> Tensor:
        """Round whole numbers as the chip stores them: clipped to the range, without the lowest bits.

        Args:
            weights: whole numbers of any shape and integer type.

        Returns:
            Weights of the same shape and type.
        """
        clipped = weights.clamp(*RANGES[self.signs])
        if self.signs == "inhibitory":
            return -((-clipped >> self.lost_bits) << self.lost_bits)
        return (clipped >> self.lost_bits) << self.lost_bits

    def arriving(self, weights: Tensor, spikes: Tensor) -> Tensor:
        """Sum up the weights of the spikes that arrive at the neurons of a dense connection, shifted.

        The product is made in a floating type that holds every partial sum exactly, since a GPU multiplies no matrices
        of whole numbers.

        Args:
            weights: stored weights, (O, I), at most 9 bits with the sign.
            spikes: 0 or 1, (..., I).

        Returns:
            a, (..., O), int32; int64 where so many weights meet that 32 bits could not hold their sum.
        """
        largest = weights.shape[-1] << WEIGHT_BITS
        dtype = torch.float32 if largest <= SINGLE_EXACT else torch.float64
        whole = torch.int32 if largest << max(self.exponent, 0) < 1 << 31 else torch.int64
        return self.shifted((spikes.to(dtype) @ weights.to(dtype).T).to(whole))

    def shifted(self, total: Tensor) -> Tensor:
        """A sum of weights, shifted by the exponent.

        Args:
            total: whole numbers of any shape.
        """
        return total << self.exponent if self.exponent > 0 else total >> -self.exponent
