"""Phase-change memory (PCM): the noise of programming, the drift over time and the noise of reading a conductance.

Source of all forms and numbers: the model `PCMLikeNoiseModel` of aihwkit 1.1.0, which takes them from measurements of a
million devices (Nandakumar et al. 2019, ICECS; Joshi et al. 2020, Nat. Commun., doi.org/10.1038/s41467-020-16108-9).
Conductances are in uS, times in seconds.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LARGEST_uS = 25.0
"""Largest conductance of the measured devices. Measured; source above."""
FIRST_READ_S = 20.0
"""t0, time from programming to the reading at which drift is counted from 1. Measured; source above."""
READ_S = 250e-9
"""Duration of a reading. Measured; source above."""
PROGRAMMING_uS = (0.26348, 1.9650, -1.1731)
"""sigma of programming at x = g / g_max: c0 + c1 x + c2 x^2, for devices of 25 uS. Measured; source above."""
SMALLEST = 1e-7
"""Smallest x of which a logarithm is taken."""


class Programmed(NamedTuple):
    """The state of cells after they have been programmed.

    Args:
        g: their conductances.
        nu: their exponents of drift.
    """

    g: Tensor
    nu: Tensor


def programming_spread(g: Tensor, largest: float = LARGEST_uS) -> Tensor:
    """Standard deviation of the conductance that programming to g gives.

    Args:
        g: target conductances, in [0, largest].
        largest: g_max.

    Returns:
        The standard deviation, of the shape of g and in its unit.
    """
    x = g / largest
    c0, c1, c2 = PROGRAMMING_uS
    return (c0 + c1 * x + c2 * x * x) * (largest / LARGEST_uS)


def drift_exponents(g: Tensor, largest: float = LARGEST_uS) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the exponent of drift.

    Args:
        g: target conductances, in [0, largest].
        largest: g_max.

    Returns:
        The mean and the standard deviation, of the shape of g.
    """
    logarithm = torch.log((g / largest).clamp(min=SMALLEST))
    return (-0.0155 * logarithm + 0.0244).clamp(0.049, 0.1), (-0.0125 * logarithm - 0.0059).clamp(0.008, 0.045)


def program(
    g: Tensor, generator: torch.Generator, noise: float = 1.0, drift: float = 1.0, largest: float = LARGEST_uS
) -> Programmed:
    """Program cells: g_p = max(g + sigma N, 0), and nu = |mean + spread N|.

    Args:
        g: target conductances, in [0, largest].
        generator: generator of the noise, on the CPU.
        noise, drift: factors of sigma and nu.
        largest: g_max.

    Returns:
        The cells with their conductances and exponents of drift.
    """
    mean, spread = drift_exponents(g, largest)
    first, second = (torch.randn(g.shape, generator=generator, dtype=torch.float64).to(g) for _ in range(2))
    there = (g + noise * programming_spread(g, largest) * first).clamp(min=0)
    return Programmed(there, drift * (mean + spread * second).abs())


def drifted(devices: Programmed, seconds: Tensor | float) -> Tensor:
    """Conductances behind drift: g_d = g_p ((T + t0) / t0)^-nu.

    Args:
        devices: programmed cells, as `program` returns them.
        seconds: T, time since programming; one for all or one for each.

    Returns:
        Their conductances after that time.
    """
    return devices.g * ((torch.as_tensor(seconds) + FIRST_READ_S) / FIRST_READ_S) ** -devices.nu


def reading_spread(devices: Programmed, seconds: Tensor | float, largest: float = LARGEST_uS) -> Tensor:
    """Standard deviation of a reading divided by g_d: Q sqrt(ln((T + t0 + t_read) / (2 t_read))).

    Args:
        devices: programmed cells, as `program` returns them.
        seconds: T, time since programming; one for all or one for each.
        largest: g_max.

    Returns:
        The relative standard deviation, of the shape of the conductances.
    """
    q = (0.0088 / ((devices.g / largest) ** 0.65).clamp(min=1e-3)).clamp(max=0.2)
    return q * torch.sqrt(torch.log((torch.as_tensor(seconds) + FIRST_READ_S + READ_S) / (2 * READ_S)))


def read(
    devices: Programmed, seconds: Tensor | float, generator: torch.Generator, noise: float = 1.0,
    largest: float = LARGEST_uS,
) -> Tensor:  # fmt: skip
    """Read cells behind drift: g = max(g_d + g_d sigma N, 0).

    Args:
        devices: programmed cells, as `program` returns them.
        seconds: T, time since programming; one for all or one for each.
        generator: generator of the noise, on the CPU.
        noise: factor of sigma.
        largest: g_max.

    Returns:
        The conductances as they are read.
    """
    there = drifted(devices, seconds)
    normal = torch.randn(there.shape, generator=generator, dtype=torch.float64).to(there)
    return (there + noise * there * reading_spread(devices, seconds, largest) * normal).clamp(min=0)
