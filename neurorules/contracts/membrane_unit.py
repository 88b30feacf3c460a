"""The conversion from a network's units to mV, for neurons whose membrane models that of a cell."""

from __future__ import annotations

from typing import NamedTuple


class Millivolts(NamedTuple):
    """The membrane's scale in mV.

    Args:
        rest: potential in mV at which the membrane variable is 0.
        threshold: potential in mV at which the membrane variable is 1.
        pulse: current in one step that makes the neuron spike at once.
    """

    rest: float
    threshold: float
    pulse: float
