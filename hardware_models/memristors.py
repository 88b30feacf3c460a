"""Numbers of memristive synapses: fits to published devices, and a specification.

All numbers but those of `specified` and `ag_asi` are fits that aihwkit 1.1.0 holds as presets
(`simulator/presets/devices.py`); each line says of what, and whether its data were measured. A step's size is in units
of the range for which the fit is given.
"""

from __future__ import annotations

from typing import NamedTuple

from hardware_models.nonlinearity import bend_of
from hardware_models.pulses import Steps


class Memristors(NamedTuple):
    """A population of memristive synapses.

    Args:
        steps: the law of a step, and its spread from cycle to cycle.
        pulse: mean size of a step at 0.
        high, low: mean bounds.
        pulse_spread: spread of the size of steps between devices, over its mean.
        high_spread, low_spread: spread of the bounds between devices, over their means.
        asymmetry: the share by which steps down are smaller than steps up; where negative, steps up are smaller.
        asymmetry_spread: between devices.
        bend_spread: spread of `Steps.up` and `Steps.down` between devices.
        shared_slope: whether the slope of the law `linear` is that of the mean bound.
        write_noise: standard deviation of the difference between the value that is read and the stored one, in steps;
            it is drawn at each write.
        kind: measured, simulated or estimated.
        source: source of the data.
    """

    steps: Steps
    pulse: float
    high: float
    low: float
    pulse_spread: float
    high_spread: float
    low_spread: float
    asymmetry: float
    asymmetry_spread: float
    bend_spread: float
    shared_slope: bool
    write_noise: float
    kind: str
    source: str


PULSES_UP, PULSES_DOWN = 97, 100
"""Pulses from one end of the range of Ag:a-Si to the other. Source: `RealDevice` of NeuroSim's MLP simulator 3.0."""
_GONG = "Gong et al. 2018, Nat. Commun., doi.org/10.1038/s41467-018-04485-1"
FITS: dict[str, Memristors] = {
    "specified": Memristors(
        Steps("constant", cycle=0.3), 0.0016, 1.0, -1.0, 0.3, 0.3, 0.3, 0.0, 0.01, 0.0, False, 0.0, "estimated",
        "what a device should have: Gokmen & Vlasov 2016, Front. Neurosci., doi.org/10.3389/fnins.2016.00333",
    ),
    "reram": Memristors(
        Steps("exponential", a=-0.5, b=-0.5, amount_up=-1.18445, amount_down=-0.081404, rate_up=5.0, rate_down=5.0,
              cycle=5.0),
        0.00135, 1.0, -1.0, 0.2, 0.3, 0.3, 0.259359, 0.05, 0.0, False, 75.0, "measured", _GONG,
    ),
    "reram_soft": Memristors(
        Steps("soft_bounds", additive=True, cycle=3.75), 0.002, 1.25, -0.75, 0.3, 0.3 / 1.25, 0.3 / 0.75, 0.0, 0.01,
        0.0, False, 56.0, "measured", f"a looser fit to {_GONG}, its symmetry point taken away",
    ),
    "capacitor": Memristors(
        Steps("linear", 0.05, 0.05, additive=True, cycle=0.3), 0.005, 1.0, -1.0, 0.1, 0.07, 0.07, 0.0, 0.06, 0.01, True,
        0.0, "measured", "Li et al. 2018, VLSI, ieeexplore.ieee.org/document/8510648, without its leakage",
    ),
    "ecram": Memristors(
        Steps("linear", 0.1153, 0.5085, cycle=0.3), 0.002, 1.1724, -0.8276, 0.1, 0.05, 0.05, 0.0, 0.01, 0.05, True, 0.0,
        "measured", "Tang et al. 2018, IEDM, ieeexplore.ieee.org/document/8614551",
    ),
    "ecram_oxide": Memristors(
        Steps("linear", 0.4152, 0.7342, cycle=2.0), 2.8214e-4, 1.1714, -0.8286, 0.1, 0.05, 0.05, 0.0, 0.01, 0.05, True,
        0.0, "measured", "Kim et al. 2019, IEDM, ieeexplore.ieee.org/document/8993463",
    ),
    "ag_asi": Memristors(
        Steps("curve", bend_of(2.4), bend_of(4.88), additive=True, cycle=0.035 * PULSES_UP), 2 / PULSES_UP, 1.0, -1.0,
        0.0, 0.0, 0.0, 1 - PULSES_UP / PULSES_DOWN, 0.0, 0.0, False, 0.0, "measured",
        "Ag:a-Si as NeuroSim's MLP simulator 3.0 has it (`RealDevice`): labels 2.4 and -4.88, noise 0.035 of the range",
    ),
}  # fmt: skip
"""The published fits of memristors, by name."""
