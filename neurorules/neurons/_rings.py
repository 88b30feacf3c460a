"""A neuron that is a ring of five variables: what `five_element` offers and reverse circuits read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.neuron import Neuron, NoState, Observed
from neurorules.native.rings import Mode, RingSystem, fixed_points, reverse_nodes, run_nodes


class RingState(NamedTuple):
    """The results of a run that the reverse circuit starts from.

    Args:
        drive: (B, *shape).
        rest: the fixed point x* as it was, (5, N).
        final: state, (B, 5, *shape).
    """

    drive: Tensor
    rest: Tensor
    final: Tensor


@dataclass(frozen=True)
class FiveElement(Neuron[NoState]):
    """S = x_S(T) - x*_S, the displacement of a ring that the current drives from its fixed point for T = steps h.

    v is the drive; psi is the exact derivative of the discrete run. The fixed point is a parameter of each neuron.

    Args:
        system: the ring's numbers.
        log_rest: ln x* (5, *shape); None for x* = 1.
    """

    system: RingSystem
    log_rest: Tensor | None = field(default=None, compare=False)
    spiking = False
    steps = 1
    learns = ("log_rest",)
    steadier = "or give the rings a shorter step h, or a smaller saturation"

    @property
    def work(self) -> int:  # type: ignore[override]
        """The work of one time step, in Heun steps of the ring's integration."""
        return self.system.steps

    def initial(self, current: Tensor) -> NoState:
        return NoState()  # a ring starts at rest each step

    def step(self, state: NoState, current: Tensor) -> tuple[Tensor, Observed, NoState]:
        drive, rest = self._flat(current)
        out, final = run_nodes(self.system, drive, rest)
        inner = RingState(current, rest, final.reshape(-1, 5, *current.shape[1:]))
        return out.reshape(current.shape), Observed(current, inner), state

    def psi(self, v: Tensor) -> Tensor:
        drive, rest = self._flat(v)
        _, final = run_nodes(self.system, drive, rest)
        slope, _ = reverse_nodes(self.system, Mode.DISCRETE, torch.ones_like(drive), drive, rest, final)
        return slope.reshape(v.shape)

    def primitive(self, v: Tensor) -> Tensor:
        drive, rest = self._flat(v)
        return run_nodes(self.system, drive, rest)[0].reshape(v.shape)

    def parameters(self, shape: tuple[int, ...]) -> dict[str, Tensor]:
        return {"log_rest": torch.zeros(5, *shape, dtype=torch.float64)}

    def with_parameters(self, own: Mapping[str, Tensor]) -> FiveElement:
        return replace(self, log_rest=own["log_rest"])

    def reverse(self, mode: Mode, error: Tensor, inner: RingState, learn: bool) -> tuple[Tensor, Tensor | None]:
        """The reverse circuit: the ring run through in the opposite sense.

        Args:
            mode: how it travels.
            error: the error of the output, (B, *shape).
            inner: what the forward run left.
            learn: whether the gradient of `log_rest` is asked for.

        Returns:
            What arrives at the drive, (B, *shape); the gradient of `log_rest` (5, *shape), summed over rows.
        """
        size = inner.rest.shape[1]
        drive, final = inner.drive.reshape(-1, size), inner.final.reshape(-1, 5, size)
        arrived, sums = reverse_nodes(self.system, mode, error.reshape(drive.shape), drive, inner.rest, final, learn)
        return arrived.reshape(error.shape), None if sums is None else sums.reshape(5, *error.shape[1:])

    def _flat(self, current: Tensor) -> tuple[Tensor, Tensor]:
        """Drive (rows, N) and fixed point (5, N)."""
        size = current.shape[-1] if self.log_rest is None else math.prod(self.log_rest.shape[1:])
        drive = current.reshape(-1, size)
        return drive, drive.new_ones(5, size) if self.log_rest is None else fixed_points(self.log_rest.reshape(5, -1))
