"""The numbers and options of a population of snnTorch: which of them learn, and which no neuron here has."""

from __future__ import annotations

import snntorch
import torch
from torch import Tensor, nn

from neurorules.contracts.connection import Shape
from neurorules.language.errors import UserError
from neurorules.neurons._learned_numbers import BETA, THRESHOLD

LEARNED = {BETA: "beta", THRESHOLD: "threshold"}
"""Numbers that a Leaky or Synaptic can learn, by their names here, and their names in snnTorch."""
UNTAUGHT = ("alpha", "graded_spikes_factor")
"""Numbers that snnTorch's neurons can learn and that rules here do not teach."""


def refuse_options(module: nn.Module, where: str) -> None:
    """Refuse options of a Leaky or Synaptic that no neuron here has.

    Args:
        module: Leaky or Synaptic.
        where: names the module in messages.

    Raises:
        UserError: one is set.
    """
    names = [name for name in UNTAUGHT if learns(module, name)]
    own = {snntorch.Lapicque: ("beta",), snntorch.Alpha: ("beta", "threshold")}.get(type(module), ())
    names += [name for name in own if learns(module, name)]
    if names:
        raise UserError(
            f"{where} has learn_{names[0]}=True, and of the numbers of neurons rules here learn beta and threshold of "
            f"Leaky and Synaptic, and the threshold of Lapicque. Set it to False"
        )
    options = [name for name in ("inhibition", "state_quant", "surrogate_disable") if getattr(module, name)]
    if options:
        raise UserError(f"{where} has {options[0]} set, which no neuron here does. Leave it out")
    if not bool((torch.as_tensor(module.graded_spikes_factor) == 1).all()):
        raise UserError(f"{where} has graded spikes, spikes here are 0 or 1. Leave graded_spikes_factor at 1")


def learns(module: nn.Module, name: str) -> bool:
    """Whether a neuron of snnTorch learns one of its numbers.

    Args:
        module: the neurons.
        name: the name of the number, in snnTorch.

    Returns:
        Whether it is a parameter of the module.
    """
    return name in dict(module.named_parameters(recurse=False))


def number(value: Tensor, where: str, name: str, shape: Shape) -> float | Tensor:
    """A number of neurons as it is, or one for each neuron.

    Args:
        value: as the module holds it; of lines (C, L) also that of maps of one row.
        where: names the module in messages.
        name: the name of the number.
        shape: the shape of the population.

    Returns:
        The number, or a tensor (*shape).

    Raises:
        UserError: another number of them.
    """
    value = value.detach()
    if value.numel() == 1:
        return float(value)
    try:
        return as_maps_of_one_row(value, shape).expand(shape).clone()
    except RuntimeError:
        raise UserError(
            f"{where} has {name} of shape {tuple(value.shape)} for a population of shape {shape}. "
            f"Give one number, or one per neuron"
        ) from None


def as_maps_of_one_row(value: Tensor, shape: Shape) -> Tensor:
    """Numbers of a population of lines (C, L) as those of maps of one row.

    Args:
        value: the numbers, (C, L) or of another shape.
        shape: the shape of the population, which for lines is (C, 1, L).

    Returns:
        Those of lines as (C, 1, L), others as they are.
    """
    return value[:, None, :] if value.ndim == 2 and len(shape) == 3 else value
