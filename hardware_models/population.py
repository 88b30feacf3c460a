"""Neurons of a chip in whole numbers, in place of a network's: currents and membranes in thresholds outside.

A current I arrives as a = round(I units), and membranes go back as v / worth, where `worth` is the size of the
network's threshold of 1 in the chip's whole numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hardware_models.chip_neuron import ChipNeuron
from neurorules.contracts.neuron import Gates, Neuron, Observed
from neurorules.language.errors import UserError
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.neurons._words import word_of
from neurorules.neurons.leaky_readout import LeakyReadout

LARGEST_CURRENT = 1 << 40
"""Beyond every chip's range; it keeps what arrives within 64 bits."""


class Registers(NamedTuple):
    """The registers of a population between two steps, int64 and of the population's shape.

    Args:
        current: the current of the synapses.
        membrane: after its reset.
    """

    current: Tensor
    membrane: Tensor


class Population(ABC):
    """A chip's neurons in whole numbers, all alike; a frozen dataclass of register values."""

    keep: float
    """The share of the membrane that a step keeps, in 0..1."""
    current_decay: float
    """The share of the synaptic current that a step keeps, in 0..1."""
    admit: float = 1.0
    """The share of an arriving current that reaches the membrane in the same step."""
    ends: tuple[int, int]
    """The lowest and highest membrane; at its ends a membrane passes no small change on."""
    subtracts: bool
    """Whether a spike takes the threshold away, so that what is above it stays; else the membrane becomes 0."""

    @abstractmethod
    def step(self, before: Registers, arriving: Tensor) -> tuple[Tensor, Tensor, Registers]:
        """Compute one time step; what is handed in stays as it is.

        Args:
            before: after the step before.
            arriving: the sum of the weights of the spikes that arrive, int64 of the population's shape.

        Returns:
            The number of spikes of each neuron (int64); the membrane before its reset; the registers afterwards.
        """

    def initial(self, like: Tensor) -> Registers:
        """The registers of a population at rest.

        Args:
            like: any tensor of the population's shape, on its device.
        """
        nothing = torch.zeros_like(like, dtype=torch.int64)
        return Registers(nothing, nothing)


class WholeState(NamedTuple):
    """The state after a step, (B, *shape) each.

    Args:
        membrane, current: registers of the chip, int64.
        spikes: number of spikes in the step, int64.
    """

    membrane: Tensor
    current: Tensor
    spikes: Tensor


@dataclass(frozen=True)
class WholeNeuron(ChipNeuron[WholeState]):
    """A neuron of the network as a chip runs it.

    Args:
        network: the neuron that it stands for.
        chip: the neurons of the chip.
        units: the whole number that stands for a current of 1, > 0; it need not be whole itself.
        worth: the same of a membrane of 1, > 0.
    """

    chip: Population
    units: float
    worth: float

    def initial(self, current: Tensor) -> WholeState:
        u, v = self.chip.initial(current)
        return WholeState(v, u, torch.zeros_like(u))

    def step(self, state: WholeState, current: Tensor) -> tuple[Tensor, Observed, WholeState]:
        arriving = torch.round(current.double() * self.units).clamp(-LARGEST_CURRENT, LARGEST_CURRENT).to(torch.int64)
        fired, v, (u, after) = self.chip.step(Registers(state.current, state.membrane), arriving)
        membrane = (v.double() / self.worth).to(current.dtype)
        low, high = self.chip.ends
        free = ((v > low) & (v < high)).to(current.dtype)
        through = free if self.chip.subtracts else free * (state.spikes == 0)
        gates = Gates(through * self.chip.keep, free * (self.chip.admit * self.units / self.worth), None)
        out = fired.to(current.dtype) if self.spiking else membrane
        return out, Observed(membrane, gates=gates), WholeState(after, u, fired)

    @property
    def current_decay(self) -> float:
        """The share of its current that the chip keeps in a step."""
        return self.chip.current_decay


class Numbers(NamedTuple):
    """The numbers of a network's neuron that a chip can take over.

    Args:
        beta: decay of the membrane per step, in [0, 1].
        alpha: decay of the synaptic current per step; 0 where there is none.
        theta: threshold, > 0; None for a read-out that never spikes.
    """

    beta: float
    alpha: float
    theta: float | None


def numbers_of(chip: str, layer: str, neuron: Neuron[Any], currents: bool = True) -> Numbers:
    """The numbers of a neuron for a chip of leaky integrators.

    Args:
        chip: its name, for messages.
        layer: for messages.
        neuron: `lif`, `if`, `cuba_lif` or `leaky_readout`.
        currents: whether currents of the chip's synapses last, as those of `cuba_lif` do.

    Returns:
        Its decays and threshold.

    Raises:
        UserError: a neuron that the chip does not have.
    """
    has = "lif, if or cuba_lif" if currents else "lif or if"
    own = f"--hardware {chip.lower()}:neurons=float"
    if not isinstance(neuron, LeakyIntegrator | SynapticIntegrator | LeakyReadout):
        raise UserError(
            f"{chip} has no neuron like '{word_of(neuron)}' of layer '{layer}'. Use {has} (and leaky_readout), or {own}"
        )
    beta, alpha = neuron.beta, neuron.current_decay
    theta = None if isinstance(neuron, LeakyReadout) else neuron.v_threshold
    if isinstance(beta, Tensor) or isinstance(alpha, Tensor) or isinstance(theta, Tensor):
        raise UserError(f"layer '{layer}': the neurons of {chip} share decays and threshold here. Give one of each")
    if not isinstance(neuron, LeakyReadout) and neuron.reset == "none":
        raise UserError(f"layer '{layer}': {chip} resets a neuron that fires, and reset=none does not. Use reset=zero")
    if alpha > 0 and not currents:
        raise UserError(
            f"layer '{layer}': {chip}'s synapses have no current that lasts, and this one keeps {alpha:g} of it in a "
            f"step. Use {has}, or {own}"
        )
    return Numbers(beta, alpha, theta)
