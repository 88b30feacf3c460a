"""Five-element neuron of the BSP reconstruction: a ring of five variables, integrated inside a single time step."""

from __future__ import annotations

from neurorules.language.ranges import NonNegative, Positive, ranged
from neurorules.native.rings import RingSteps, RingSystem
from neurorules.neurons._rings import FiveElement


@ranged("neuron 'five_element'")
def five_element(
    *,
    k2: NonNegative = 0.5,
    k3: Positive = 1.0,
    steps: RingSteps = 12,
    h: Positive = 0.15,
    saturation: Positive = 3.0,
) -> FiveElement:
    """A ring of five predator-prey variables around a fixed point; the signal is the displacement of one of them.

    A reconstruction: the paper's own equations are not public (`neurorules cite bsp`).

    Args:
        k2: strength of self-limitation, >= 0; with 0 the ring oscillates.
        k3: coupling, > 0.
        steps: number of Heun steps of one run, >= 1. The run has to be short, because the state it converges to is
            linear in the drive.
        h: length of a step, > 0. For the same duration, 6 steps of 0.3 work as well as 12 of 0.15; 3 of 0.6 diverge.
        saturation: largest drive, > 0.

    Returns:
        The neuron.

    Raises:
        UserError: a number is out of range.
    """
    return FiveElement(RingSystem(k2, k3, steps, h, saturation))


ENTRY = five_element
