"""SpiNNaker's arithmetic: numbers of 32 bits with 15 behind the point (s16.15), and the closed form of a LIF neuron.

With RN a product rounded to the nearest number, half way up, one step is

    i' = RN(i d) + I                         the current of the synapses; i' = I without one
    a  = RN(i' R)
    v' = a - RN(e (a - v)),  e = exp(-dt / tau)      v' = v + i' without a leak, e = 1
    s  = v' >= threshold;  v' = 0 where s

Source: sPyNNaker, `neuron_model_lif_impl.h` (closed form, rounded products) and `threshold_type_static.h` (>=), which
were read and not run. Ours: every result saturates at the ends of 32 bits, where the C code relies on numbers that stay
inside; half way is rounded up; a current is decayed in the format of the rest; and a neuron without a leak adds its
current. R is 1 / (1 - e), so that a current of 1 adds 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hardware_models.population import Numbers, Population, Registers, WholeNeuron, numbers_of
from neurorules.contracts.neuron import Neuron
from neurorules.language.errors import UserError

POINT = 15
"""Bits behind the point."""
ONE = 1 << POINT
"""The number 1 as an integer of fixed point."""
LOWEST, HIGHEST = -(1 << 31), (1 << 31) - 1
"""The ends of 32 bits."""


def saturated(x: Tensor) -> Tensor:
    """Numbers clipped to 32 bits.

    Args:
        x: whole numbers, int64.
    """
    return x.clamp(LOWEST, HIGHEST)


def product(x: Tensor, y: int) -> Tensor:
    """RN(x y): the product of two numbers of the format, rounded to the nearest, half way up.

    Args:
        x: codes, int64.
        y: code of the other number.

    Returns:
        Codes of the shape of x.
    """
    return saturated((x * y + (ONE >> 1)) >> POINT)


@dataclass(frozen=True)
class ClosedFormLif(Population):
    """A population of SpiNNaker's neurons; the module says its equations.

    Args:
        keep_v: e, as a code.
        resistance: R, as a code; None without a leak.
        keep_u: d, as a code; 0 without a synaptic current.
        threshold: the threshold as a code; None for neurons that never spike.
    """

    keep_v: int
    resistance: int | None
    keep_u: int
    threshold: int | None
    subtracts = False
    ends = (LOWEST, HIGHEST)

    @property
    def keep(self) -> float:  # type: ignore[override]
        """The share of the membrane that a step keeps: e of the module's equations, as a number."""
        return self.keep_v / ONE

    @property
    def current_decay(self) -> float:  # type: ignore[override]
        """The share of the synaptic current that a step keeps: d of the module's equations, as a number."""
        return self.keep_u / ONE

    def step(self, before: Registers, arriving: Tensor) -> tuple[Tensor, Tensor, Registers]:
        u = saturated(product(before.current, self.keep_u) + saturated(arriving))
        if self.resistance is None:
            v = saturated(before.membrane + u)
        else:
            a = product(u, self.resistance)
            v = saturated(a - product(saturated(a - before.membrane), self.keep_v))
        fired = v.new_zeros(v.shape) if self.threshold is None else (v >= self.threshold).to(v.dtype)
        return fired, v, Registers(u, v.masked_fill(fired > 0, 0))


def on_spinnaker(layer: str, neuron: Neuron[Any]) -> WholeNeuron:
    """The neuron of SpiNNaker that stands for one of a network.

    Args:
        layer: for messages.
        neuron: `lif`, `if`, `cuba_lif` or `leaky_readout`.

    Returns:
        The neuron, with decays and threshold in s16.15.

    Raises:
        UserError: a neuron that SpiNNaker's closed form does not have, or a threshold beyond the format.
    """
    numbers = numbers_of("SpiNNaker", layer, neuron)
    keep_v = round(numbers.beta * ONE)
    resistance = None if keep_v == ONE else round(ONE * ONE / (ONE - keep_v))
    chip = ClosedFormLif(keep_v, resistance, round(numbers.alpha * ONE), _threshold(layer, numbers))
    return WholeNeuron(neuron, chip, float(ONE), float(ONE))


def _threshold(layer: str, numbers: Numbers) -> int | None:
    if numbers.theta is None:
        return None
    code = round(numbers.theta * ONE)
    if not 1 <= code <= HIGHEST:
        raise UserError(
            f"layer '{layer}': a threshold of {numbers.theta:g} is not a number of s16.15 above 0. Use one between "
            f"{1 / ONE:.2g} and {HIGHEST / ONE:.0f}"
        )
    return code
