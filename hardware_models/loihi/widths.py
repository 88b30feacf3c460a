"""Widths of Loihi's registers, in bits.

Source of all: Lava (lava-nc 0.10.0), `lava.proc.lif.models.PyLifModelBitAcc`, `lava.utils.weightutils` and
`lava.magma.core.learning.constants`, which simulate the chip of Davies et al. 2018, IEEE Micro 38(1).
"""

from __future__ import annotations

DECAY_BITS = 12
"""The width of the decays of current and membrane, without sign."""
UNITY = 1 << DECAY_BITS
"""The decay that leaves nothing."""
CURRENT_DECAY_OFFSET = 1
"""Added to the decay of the current: even a decay of 0 takes 1/4096 away. The membrane has no such offset."""
MAGNITUDE_BITS = 23
"""The width of current and membrane; one more bit is their sign."""
LIMIT = 1 << MAGNITUDE_BITS
"""M: the current lies in (-M, M] and wraps, the membrane lies in [-(M - 1), M - 1] and saturates."""
SHIFT = 6
"""Bits by which what arrives, and the threshold, are shifted to the left."""
THRESHOLD_BITS = 17
"""The width of the threshold's mantissa, without sign."""
BIAS_BITS = 13
"""The width of the bias's mantissa, with its sign."""
BIAS_EXPONENT_BITS = 3
"""The width of the bias's exponent, without sign."""
WEIGHT_BITS = 8
"""The width of a weight, without its sign."""
