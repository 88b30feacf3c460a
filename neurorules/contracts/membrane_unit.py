"""The scale of a net in the units of a neuron whose membrane is one of a cell."""

from __future__ import annotations

from typing import NamedTuple


class Millivolts(NamedTuple):
    """The scale of a net in mV.

    Args:
        rest: membrane of 0, in mV.
        threshold: membrane of 1, in mV.
        pulse: current of one step that makes it spike at once.
    """

    rest: float
    threshold: float
    pulse: float
