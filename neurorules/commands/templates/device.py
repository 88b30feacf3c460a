"""The template that `neurorules new device NAME` writes."""

from __future__ import annotations

TEMPLATE = '''"""{title}: say in one line what the chip does to weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurorules.language.ranges import NonNegative, Positive, ranged

SEED_OFFSET = 7_000_003
"""Separates the draws of the chip from those of the initial weights, which use the same seed."""


@ranged("device '{name}'")
@dataclass(frozen=True)
class {type_name}:
    """stored = clip(requested, -limit, limit); read = stored * gain, with a gain drawn once for each synapse.

    The fields of this class are the user's options: `--hardware {name}:cv=0.2`. Cite the source of each default.

    Args:
        cv: standard deviation of ln(gain), >= 0; 0 for identical synapses.
        headroom: the largest possible weight, in units of the largest programmed weight, > 0.
    """

    cv: NonNegative = 0.1
    headroom: Positive = 4.0

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw all that is drawn only once: the same seed gives the same chip. The state is a flat dictionary.

        Args:
            shapes: the shapes of the weights, by connection, such as "hidden1.ff.w".
            seed: the seed of the run, >= 0.
        """
        generator = torch.Generator().manual_seed(seed + SEED_OFFSET)
        return {f"{key}/gain": torch.exp(self.cv * torch.randn(n, generator=generator)) for key, n in shapes.items()}

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Return the weights as first programmed, and the new state. The range is chosen here and stays the same."""
        largest = w.abs().max() * self.headroom
        limit = torch.where(largest > 0, largest, torch.ones_like(largest))
        return w.clone(), {**state, name + "/limit": limit}  # hooks must not change the state in place

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Return the weights that a trial uses. The same state and weights give the same bits: no read noise.

        Tensors of the state are converted, because the weights may be on another device or in another precision.
        """
        return w * state[name + "/gain"].to(w.device, w.dtype)

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Return the stored weights after the requested change `dw`, and the new state. A change of 0 changes nothing.

        A chip with random updates stores its generator in the state, as a tensor: `get_state()`.
        """
        limit = float(state[name + "/limit"])
        return (w + dw).clamp(-limit, limit), state

    # Optional hooks, one method each: on_observe, on_trace, on_time, on_neuron, codes, check_rule. See
    # `neurorules.contracts.device_hooks`. `ideal: ClassVar[str]` names options that switch off all effects.
    # account(sample) returns the cost of a sample, term by term, each with its source: see
    # `neurorules.contracts.device_account`. `hardware_models.account.Accountant` makes it from a table of figures.


ENTRY = {type_name}
'''
