"""The file that `neurorules new device NAME` writes."""

from __future__ import annotations

TEMPLATE = '''"""{title}: say in one line what the chip does to weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurorules.language.ranges import NonNegative, Positive, ranged

SEED_OFFSET = 7_000_003
"""Keeps a chip's draws apart from those of the initial weights, which come from the same seed."""


@ranged("device '{name}'")
@dataclass(frozen=True)
class {type_name}:
    """stored = clip(asked, -limit, limit); read = stored * gain, with a gain drawn once for each synapse.

    The fields of this class are the user's options: `--hardware {name}:cv=0.2`. Write where a default comes from.

    Args:
        cv: standard deviation of ln(gain), >= 0; 0 for synapses that are all alike.
        headroom: the largest weight, in units of the largest one that is programmed, > 0.
    """

    cv: NonNegative = 0.1
    headroom: Positive = 4.0

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """All that is drawn once: one seed is one chip. The state is a flat dictionary of tensors, and all there is.

        Args:
            shapes: of the weights, by connection, such as "hidden1.ff.w".
            seed: of the run, >= 0.
        """
        generator = torch.Generator().manual_seed(seed + SEED_OFFSET)
        return {f"{key}/gain": torch.exp(self.cv * torch.randn(n, generator=generator)) for key, n in shapes.items()}

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """(weights as first programmed, state after it). The range is chosen here and never widens."""
        largest = w.abs().max() * self.headroom
        limit = torch.where(largest > 0, largest, torch.ones_like(largest))
        return w.clone(), {**state, name + "/limit": limit}  # a new dictionary: hooks leave theirs as it was

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """What a trial computes with. Equal state and weights give equal bits, so noise of a reading has no place here.

        Tensors of the state are made to fit the weights, which may be on another device or in another precision.
        """
        return w * state[name + "/gain"].to(w.device, w.dtype)

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """(stored weights after a change `dw` was asked for, state after it). No change asked for is none made.

        A chip that draws at random in an update keeps its generator in the state, as a tensor: `get_state()`.
        """
        limit = float(state[name + "/limit"])
        return (w + dw).clamp(-limit, limit), state

    # More that a chip may be, each one method: on_observe, on_trace, on_time, on_neuron, codes, check_rule. See
    # `neurorules.contracts.device_hooks`, and `ideal: ClassVar[str]`, options with which all effects vanish.
    # account(sample) says what a sample costs, term by term, each with its source: see
    # `neurorules.contracts.device_account`. `hardware_models.account.Accountant` makes it of a table of figures.


ENTRY = {type_name}
'''
