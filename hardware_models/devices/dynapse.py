"""DYNAP-SE: analogue synapses and neurons whose parameters differ by mismatch, drawn once for each chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from hardware_models.account import Accountant
from hardware_models.chip import generator_of, room_of
from hardware_models.mismatch import draw_gains, through_gains
from neurorules.language.ranges import NonNegative, Positive, Whole, ranged

SEED_OFFSET = 6_000_101
"""Added to the seed, so that what a chip draws is independent of the initial weights, which have the same seed."""


@ranged("device 'dynapse'")
@dataclass(frozen=True)
class Dynapse(Accountant):
    """stored = clip(asked, -L, L); read = stored * gain of the synapse * gain of the neuron. Precision is not limited.

    Gains are log-normal of mean 1, since currents are positive. A neuron's gain stands for all that mismatch does to
    how strongly its inputs drive it; time constants and thresholds of their own are left out.

    Args:
        cv: coefficient of variation of synapses, >= 0. The default is that of rockpool's `mismatch_generator` (30 %
            over 3 sigma); papers on the chip report about 0.2 (Büchel et al. 2021; Zendrikov et al. 2023), which is
            not checked here. Neither was measured by us.
        neuron_cv: the same of neurons, >= 0.
        headroom: L of a connection, in units of the largest weight that is programmed, > 0.
        chip: seed of the gains; None takes the seed of the run.

    Raises:
        UserError: a value outside its range.
    """

    cv: NonNegative = 0.1
    neuron_cv: NonNegative = 0.1
    headroom: Positive = 4.0
    chip: Whole | None = None
    ideal: ClassVar[str] = "cv=0:neuron_cv=0"
    constraints: ClassVar[Mapping[str, str]] = {"mismatch of synapses": "cv=0", "mismatch of neurons": "neuron_cv=0"}
    unpublished: ClassVar[str] = "mismatch alone is modelled here, and no energy"

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw the gains of one chip.

        Args:
            shapes: shape of each connection's weights, by parameter name.
            seed: seed of the run, used unless `chip` is set.

        Returns:
            "<parameter>/gain" and "<parameter>/neuron" for each connection.
        """
        return draw_gains(shapes, self.cv, self.neuron_cv, generator_of(self.chip, seed, SEED_OFFSET))

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Choose the largest weight of a connection, "<parameter>/limit".

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: weights at full precision.

        Returns:
            The same weights, and the state with the limit.
        """
        limit = torch.tensor(room_of(w, self.headroom), dtype=w.dtype, device=w.device)
        return w.clamp(-float(limit), float(limit)), {**state, f"{name}/limit": limit}

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Read the stored weights through the gains of synapses and neurons.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.

        Returns:
            The weights as the chip applies them, of the same shape and type.
        """
        return through_gains(state, name, w)

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Change the weights within their limit.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.
            dw: the change that is asked for.

        Returns:
            The stored weights afterwards, and the state as it was.
        """
        limit = float(state[f"{name}/limit"])
        return (w + dw).clamp(-limit, limit), state


ENTRY = Dynapse
