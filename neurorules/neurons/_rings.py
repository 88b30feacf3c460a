"""The neuron that `five_element` builds, a ring of five variables, with the reverse run for `bsp`."""

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
    """The results of a forward run from which the reverse circuit starts.

    Args:
        drive: the drive of the ring, (B, *shape).
        rest: the fixed point x* during the run, (5, N).
        final: the state at the end of the run, (B, 5, *shape).
    """

    drive: Tensor
    rest: Tensor
    final: Tensor


@dataclass(frozen=True)
class FiveElement(Neuron[NoState]):
    """S = x_S(T) - x*_S, the displacement after a time T = steps h of a ring that the current drives from its fixed
    point.

    v is the drive; psi is the exact derivative of the discrete run. The fixed point is a parameter of each neuron.

    Args:
        system: the parameters of the ring.
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
        return NoState()  # a ring starts from rest in each step

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
        """Run the reverse circuit, which is the ring traversed in the opposite direction.

        Args:
            mode: mode of the reverse signal.
            error: the error of the output, (B, *shape).
            inner: the results of the forward run.
            learn: whether to compute the gradient of `log_rest`.

        Returns:
            The signal that arrives at the drive, (B, *shape), and the gradient of `log_rest` (5, *shape), summed over
            rows.
        """
        size = inner.rest.shape[1]
        drive, final = inner.drive.reshape(-1, size), inner.final.reshape(-1, 5, size)
        arrived, sums = reverse_nodes(self.system, mode, error.reshape(drive.shape), drive, inner.rest, final, learn)
        return arrived.reshape(error.shape), None if sums is None else sums.reshape(5, *error.shape[1:])

    def _flat(self, current: Tensor) -> tuple[Tensor, Tensor]:
        """The drive (rows, N) and the fixed point (5, N) of all rings."""
        size = current.shape[-1] if self.log_rest is None else math.prod(self.log_rest.shape[1:])
        drive = current.reshape(-1, size)
        return drive, drive.new_ones(5, size) if self.log_rest is None else fixed_points(self.log_rest.reshape(5, -1))
