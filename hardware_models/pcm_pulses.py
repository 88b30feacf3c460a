"""Phase-change memory: the conductance that a pulse of crystallisation (SET) adds to a cell.

With w = RANGE g / g_max, a pulse adds on average

    dw = STEP (1 + AMOUNT exp(-RATE w)),   with a standard deviation of SPREAD (dw + ADDED + SLOPE w)

so that the first pulses move a cell far, and later ones hardly. Source of the form and all numbers: the preset
`PCMPresetDevice` of aihwkit 1.1.0, a fit to measured cells (Nandakumar et al. 2020, Front. Neurosci.,
doi.org/10.3389/fnins.2020.00406). That the end of the preset's range is the largest conductance of the model of
programming, 25 uS, is ours; so is leaving out how cells differ in the size of their steps. A pulse can only add.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hardware_models.pcm import LARGEST_uS, Programmed, drift_exponents

RANGE = 2.0
"""The end of the fit's range."""
STEP, AMOUNT, RATE = 0.01, 27.235, 2.5
"""The size of a pulse: far up the range, and how much more it is at its beginning. Measured; source above."""
SPREAD, ADDED, SLOPE = 0.6, 0.042, 0.108
"""The spread of a pulse: over its size, at no conductance, and by conductance. Measured; source above."""


def mean_pulse(g: Tensor, largest: float = LARGEST_uS) -> Tensor:
    """The conductance that one pulse adds on average.

    Args:
        g: conductances before the pulse, in [0, largest].
        largest: g_max, in the unit of g.

    Returns:
        What is added, of the shape of g and in its unit.
    """
    return STEP * (1 + AMOUNT * torch.exp(-RATE * RANGE * g / largest)) * (largest / RANGE)


def pulse_spread(g: Tensor, largest: float = LARGEST_uS) -> Tensor:
    """The standard deviation of what one pulse adds.

    Args:
        g: conductances before the pulse, in [0, largest].
        largest: g_max, in the unit of g.

    Returns:
        The standard deviation, of the shape of g and in its unit.
    """
    unit = largest / RANGE
    return SPREAD * (mean_pulse(g, largest) + ADDED * unit + SLOPE * g)


def pulsed(
    cells: Programmed, counts: Tensor, generator: torch.Generator, noise: float = 1.0, drift: float = 1.0,
    largest: float = LARGEST_uS,
) -> Programmed:  # fmt: skip
    """Cells after trains of pulses, one pulse behind the other. Each pulse makes a cell drift anew, from what it had
    when its drift began.

    Args:
        cells: before the pulses.
        counts: pulses of each cell, whole numbers >= 0 of the shape of the conductances.
        generator: generator of the noise of pulses, on the CPU.
        noise: factor of the standard deviation of a pulse.
        drift: factor of new exponents of drift.
        largest: g_max; a cell has 0 at least and g_max at most.

    Returns:
        The cells: those that had a pulse with new conductances and exponents of drift, the others as they were.
    """
    flat, left = cells.g.reshape(-1).clone(), counts.reshape(-1)
    for done in range(int(left.max()) if left.numel() else 0):
        places = (left > done).nonzero().reshape(-1)
        g = flat[places]
        normal = torch.randn(len(places), generator=generator, dtype=torch.float64).to(g)
        moved = g + mean_pulse(g, largest) + noise * pulse_spread(g, largest) * normal
        flat[places] = moved.clamp(0, largest)
    g = flat.reshape(cells.g.shape)
    mean, spread = drift_exponents(g, largest)
    normal = torch.randn(g.shape, generator=generator, dtype=torch.float64).to(g)
    return Programmed(g, torch.where(counts > 0, drift * (mean + spread * normal).abs(), cells.nu))
