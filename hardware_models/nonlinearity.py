"""NeuroSim's labels of nonlinearity: how far a curve of pulses bends away from a straight line."""

from __future__ import annotations

import math

from scipy.optimize import brentq

from neurorules.language.errors import UserError

A_LABEL = 0.07
"""The distance of the curve from the straight line through its ends, at right angles to that line in a plot whose sides
are 1, that has the label 1. Source: read off the table `getParamA` of NeuroSim's MLP simulator, whose entries from 0.01
to 9 this number gives to its six decimals."""
LABELS = (0.01, 9.0)
"""The labels that the table has."""


def deviation(bend: float) -> float:
    """The most by which the curve G(P) = (1 - exp(-P / bend)) / (1 - exp(-1 / bend)), P in 0..1, rises above G = P.

    Args:
        bend: A over Pmax, > 0.

    Returns:
        The largest G(P) - P, in 0..1.
    """
    whole = -math.expm1(-1 / bend)
    p = -bend * math.log(bend * whole)  # where the curve runs along the line
    return -math.expm1(-p / bend) / whole - p


def bend_of(label: float) -> float:
    """The bend that a label of nonlinearity stands for.

    Args:
        label: NeuroSim's, without its sign, 0.01..9; 0 would be a straight line.

    Returns:
        A over Pmax, > 0, for the law `curve` of memristors.

    Raises:
        UserError: a label that is out of range.
    """
    if not LABELS[0] <= label <= LABELS[1]:
        raise UserError(
            f"the label of the nonlinearity is {label:g}. Give a number from {LABELS[0]:g} to {LABELS[1]:g}"
        )
    return float(brentq(lambda bend: deviation(bend) - label * A_LABEL * math.sqrt(2), 1e-3, 1e3, xtol=1e-12))
