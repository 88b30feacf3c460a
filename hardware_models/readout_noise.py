"""Noise that hangs on a chip, a place and a step alone, so that all windows of a trial see the same."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from neurorules.contracts.device_hooks import Place


def generator_at(seed: int, *where: object) -> torch.Generator:
    """A generator of one place of one chip.

    Args:
        seed: seed of the chip.
        where: what tells the place from all others.

    Returns:
        A generator on the CPU; equal arguments give equal draws, on every machine.
    """
    text = " ".join(map(str, (seed, *where)))
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big"))


def at_each_step(seed: int, age: int, place: Place, like: Tensor) -> Tensor:
    """Standard normal noise that is new in each step and trial.

    Args:
        seed: seed of the chip.
        age: of the chip, which tells trials apart.
        place: the phase, the layer and the first of the steps.
        like: a tensor of the shape, (T, B, *shape), and type of the noise.

    Returns:
        The noise, on the device of `like`.
    """
    rows = []
    for t in range(len(like)):
        generator = generator_at(seed, age, place.phase, place.layer, place.first + t)
        rows.append(torch.randn(like.shape[1:], generator=generator, dtype=torch.float64))
    return torch.stack(rows).to(like)
