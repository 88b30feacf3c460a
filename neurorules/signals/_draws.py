"""Random numbers that follow from a key and a place alone, and are computed where they are read: no device is asked for
the state of a generator.

Source: SplitMix64 (Steele, Lea, Flood 2014, https://doi.org/10.1145/2660193.2660195).
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

STEP, FIRST, SECOND = -7046029254386353131, -4658895280553007687, -7723592293110705685
"""The increment and the two factors of SplitMix64, as signed numbers of 64 bits."""
BITS = 53
"""The number of random bits in a float64 of [0, 1)."""


def key_of(seed: Int[Tensor, ""], *numbers: Tensor | int) -> Int[Tensor, ""]:
    """Mix a seed with further numbers into one key.

    Args:
        seed: the seed of the run.
        numbers: whole numbers, such as the number of the trial.

    Returns:
        The key; keys of different numbers give unrelated draws.
    """
    key = seed
    for number in numbers:
        key = _mixed(key + (number * STEP if isinstance(number, Tensor) else _wrapped(number * STEP)))
    return key


def uniform(key: Int[Tensor, ""], places: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The random numbers of a key at some places.

    Args:
        key: the key, as `key_of` makes it.
        places: the place of each number in the sequence of the key, >= 0.

    Returns:
        Numbers in [0, 1), float64, on the device of the places.
    """
    return _shifted(_mixed(key + (places + 1) * STEP), 64 - BITS).double() * 2.0**-BITS


def _wrapped(number: int) -> int:
    """The lowest 64 bits of a whole number, as a signed number."""
    return (number + 2**63) % 2**64 - 2**63


def _mixed(z: Tensor) -> Tensor:
    z = (z ^ _shifted(z, 30)) * FIRST
    z = (z ^ _shifted(z, 27)) * SECOND
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, count: int) -> Tensor:
    """Shift 64 bits to the right; zeros enter."""
    return (z >> count) & ((1 << (64 - count)) - 1)
