"""Loihi's neuron in place of a network's: currents and membranes in thresholds outside, whole numbers inside.

A current I arrives as a = I units, rounded to a whole number, where `units` is the threshold's mantissa in units of the
network's threshold of 1; membranes go back as v / (64 units). The chip resets to zero, at once: where the network's
neuron resets by subtraction, this one does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hardware_models.chip_neuron import ChipNeuron
from hardware_models.loihi.cuba_lif import CubaLif, CubaState
from hardware_models.loihi.widths import CURRENT_DECAY_OFFSET, LIMIT, SHIFT, THRESHOLD_BITS, UNITY
from hardware_models.population import numbers_of
from neurorules.contracts.neuron import Gates, Neuron, Observed
from neurorules.language.errors import UserError

HIGHEST_THRESHOLD = (1 << THRESHOLD_BITS) - 1
LARGEST_CURRENT = 1 << 30
"""Beyond it a current wraps in any case; it keeps the sum within 32 bits."""


class LoihiState(NamedTuple):
    """The state after a step, (B, *shape) each.

    Args:
        membrane, current: registers of the chip, int32.
        spikes: whether each neuron fired in the step, bool.
    """

    membrane: Tensor
    current: Tensor
    spikes: Tensor


@dataclass(frozen=True)
class LoihiNeuron(ChipNeuron[LoihiState]):
    """A neuron of the network as Loihi runs it.

    Args:
        network: the neuron that it stands for.
        chip: the neuron of the chip.
        units: the whole number that stands for a current of 1, >= 1.
    """

    chip: CubaLif
    units: int

    def initial(self, current: Tensor) -> LoihiState:
        u, v = self.chip.initial(current)
        return LoihiState(v, u, torch.zeros_like(current, dtype=torch.bool))

    def step(self, state: LoihiState, current: Tensor) -> tuple[Tensor, Observed, LoihiState]:
        spikes, v, (u, after) = self.chip.step(CubaState(state.current, state.membrane), self.arriving(current))
        return self._outside(spikes, v, state.spikes, LoihiState(after, u, spikes), current.dtype)

    def many_steps(self, state: LoihiState, currents: Tensor) -> tuple[Tensor, Observed, LoihiState]:
        run = self.chip.run(self.arriving(currents), CubaState(state.current, state.membrane))
        before = torch.cat([state.spikes[None], run.spikes[:-1]])
        after = LoihiState(run.state.v, run.state.u, run.spikes[-1])
        return self._outside(run.spikes, run.v, before, after, currents.dtype)

    def arriving(self, current: Tensor) -> Tensor:
        """The whole number that a current arrives as, int32 of its shape.

        Args:
            current: in thresholds.
        """
        return torch.round(current * self.units).clamp(-LARGEST_CURRENT, LARGEST_CURRENT).to(torch.int32)

    def _outside(
        self, spikes: Tensor, v: Tensor, before: Tensor, after: LoihiState, dtype: torch.dtype
    ) -> tuple[Tensor, Observed, LoihiState]:
        membrane = v.to(dtype) / (self.units << SHIFT)
        free = (v.abs() < LIMIT - 1).to(dtype)  # a membrane at its end passes no change on
        gates = Gates(free * (~before).to(dtype) * (self.chip.keep_v / UNITY), free, None)
        return spikes.to(dtype) if self.spiking else membrane, Observed(membrane, gates=gates), after

    @property
    def current_decay(self) -> float:
        """The share of its current that the chip keeps in a step."""
        return self.chip.keep_u / UNITY


def on_loihi(layer: str, neuron: Neuron[Any], units: int) -> LoihiNeuron:
    """The neuron of Loihi that stands for one of a network.

    Args:
        layer: for messages.
        neuron: `lif`, `if`, `cuba_lif` or `leaky_readout`.
        units: the whole number that stands for a current of 1, >= 1.

    Returns:
        The neuron, with decays rounded to 1/4096. A read-out that never spikes has the highest threshold, and no memory
        is a decay of 4095/4096, the largest there is.

    Raises:
        UserError: a neuron that Loihi does not have, or a threshold that its register does not hold.
    """
    beta, alpha, threshold = numbers_of("Loihi", layer, neuron)
    theta = HIGHEST_THRESHOLD / units if threshold is None else threshold
    mantissa = round(theta * units)
    if not 1 <= mantissa <= HIGHEST_THRESHOLD:
        raise UserError(
            f"layer '{layer}': a threshold of {theta:g} is {mantissa} on the chip, which holds 1..{HIGHEST_THRESHOLD}. "
            f"Use a threshold of {HIGHEST_THRESHOLD / units:.3g} at most, or a larger range"
        )
    du = min(max(round(UNITY * (1 - alpha)) - CURRENT_DECAY_OFFSET, 0), UNITY - 1)
    dv = min(max(round(UNITY * (1 - beta)), 0), UNITY - 1)
    return LoihiNeuron(neuron, CubaLif(du, dv, mantissa), units)
