"""ODIN's neuron: a membrane of 8 bits without sign, which leaks by a fixed number and is reset to zero.

    V = max(V - leak, 0)                     at a time reference
    V = min(max(V + w, 0), 255)              at a spike that arrives; w < 0 from an inhibitory neuron
    V = 0 and a spike where V >= threshold

Source: ODIN's RTL (Frenkel et al. 2019, arXiv 1804.07858), read and not run. Ours: a step of a network is one time
reference and then the sum of all that arrives, where the chip clips and compares after each event; and the leak of a
membrane half way to the threshold stands for a decay in proportion to the membrane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from torch import Tensor

from hardware_models.population import Population, Registers, WholeNeuron, numbers_of
from hardware_models.sdsp import HIGHEST_MEMBRANE
from neurorules.contracts.neuron import Neuron
from neurorules.language.errors import UserError
from neurorules.language.ranges import Range, ranged
from neurorules.neurons.leaky_readout import LeakyReadout

HIGHEST_LEAK = 127
"""The strongest leak that a register of 7 bits holds."""


@ranged("ODIN's neuron")
@dataclass(frozen=True)
class OdinLif(Population):
    """A population of ODIN's neurons; the module says its equations.

    Args:
        threshold: 1..255.
        leak: what a time reference takes away, 0..127.

    Raises:
        UserError: a number that the chip's register cannot hold.
    """

    threshold: Annotated[int, Range(f"[1, {HIGHEST_MEMBRANE}]")]
    leak: Annotated[int, Range(f"[0, {HIGHEST_LEAK}]")] = 0
    subtracts = False
    ends = (0, HIGHEST_MEMBRANE)
    keep = 1.0
    current_decay = 0.0

    def step(self, before: Registers, arriving: Tensor) -> tuple[Tensor, Tensor, Registers]:
        v = ((before.membrane - self.leak).clamp(min=0) + arriving).clamp(0, HIGHEST_MEMBRANE)
        fired = (v >= self.threshold).to(v.dtype)
        return fired, v, Registers(before.current, v * (1 - fired))


def on_odin(layer: str, neuron: Neuron[Any], units: float) -> Neuron[Any]:
    """The neuron of ODIN that stands for one of a network.

    Args:
        layer: for messages.
        neuron: `lif` or `if`; a `leaky_readout` stays as it is, beside the chip, since ODIN's outputs are spikes.
        units: the whole number that stands for a current of 1, > 0.

    Returns:
        The neuron.

    Raises:
        UserError: a neuron that ODIN does not have, or a threshold that its register does not hold.
    """
    if isinstance(neuron, LeakyReadout):
        return neuron
    numbers = numbers_of("ODIN", layer, neuron, currents=False)
    assert numbers.theta is not None
    threshold = round(numbers.theta * units)
    if not 1 <= threshold <= HIGHEST_MEMBRANE:
        raise UserError(
            f"layer '{layer}': a threshold of {numbers.theta:g} is {threshold} on ODIN, which holds 1.."
            f"{HIGHEST_MEMBRANE}. Use one between {1 / units:.3g} and {HIGHEST_MEMBRANE / units:.3g}, or another range"
        )
    leak = min(round((1 - numbers.beta) * threshold / 2), HIGHEST_LEAK)
    return WholeNeuron(neuron, OdinLif(threshold, leak), float(units), float(units))
