"""Loihi's current-based leaky integrate-and-fire neuron in whole numbers, bit for bit.

With T(x) = sign(x) (|x| >> 12), which rounds toward zero, and M = 2^23, one step is, in this order:

    u' = T(u (4096 - (du + 1))) + (a << 6)             wrapped into (-M, M]
    v' = T(v (4096 - dv)) + u' + (mant << exp)         saturated at -(M - 1) and M - 1
    s  = v' > (threshold << 6)                         strictly above
    u, v = u', (0 where s, else v')

Source: Lava (lava-nc 0.10.0), `lava.proc.lif.models.PyLifModelBitAcc`; simulated there, not measured on a chip. Loihi's
refractory period and axonal delay are left out there and here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from hardware_models.loihi import kernel
from hardware_models.loihi.widths import (
    BIAS_BITS,
    BIAS_EXPONENT_BITS,
    CURRENT_DECAY_OFFSET,
    DECAY_BITS,
    LIMIT,
    SHIFT,
    THRESHOLD_BITS,
    UNITY,
)
from neurorules.language.errors import UserError
from neurorules.language.ranges import Range, ranged

Decay = Annotated[int, Range(f"[0, {UNITY - 1}]")]
HALF_BIAS = 1 << (BIAS_BITS - 1)


class CubaState(NamedTuple):
    """The state of a population between two steps, both int32 and of the population's shape.

    Args:
        u: the synaptic current, in (-2^23, 2^23].
        v: the membrane after its reset, in [-(2^23 - 1), 2^23 - 1].
    """

    u: Tensor
    v: Tensor


class CubaRun(NamedTuple):
    """The spikes, membranes and last state of a population after T steps.

    Args:
        spikes: whether each neuron fired, bool, (T, B, *shape).
        v: the membrane before its reset, int32, (T, B, *shape).
        u: the synaptic current, int32, (T, B, *shape); None where it was not asked for.
        state: after the last step, (B, *shape).
    """

    spikes: Tensor
    v: Tensor
    u: Tensor | None
    state: CubaState


@ranged("Loihi's neuron")
@dataclass(frozen=True)
class CubaLif:
    """A population of Loihi's neurons; the module says its equations.

    Args:
        du: decay of the current per step, in units of 1/4096, 0..4095.
        dv: decay of the membrane per step, in units of 1/4096, 0..4095.
        threshold: mantissa of the threshold, 0..131071; the threshold is 64 times as large.
        bias_mantissa: mantissa of the bias, -4096..4095.
        bias_exponent: exponent of the bias, 0..7.

    Raises:
        UserError: a number that the chip's register cannot hold.
    """

    du: Decay = 0
    dv: Decay = 0
    threshold: Annotated[int, Range(f"[0, {(1 << THRESHOLD_BITS) - 1}]")] = 100
    bias_mantissa: Annotated[int, Range(f"[{-HALF_BIAS}, {HALF_BIAS - 1}]")] = 0
    bias_exponent: Annotated[int, Range(f"[0, {(1 << BIAS_EXPONENT_BITS) - 1}]")] = 0

    @property
    def keep_u(self) -> int:
        """The share of the current that a step keeps, in units of 1/4096."""
        return UNITY - (self.du + CURRENT_DECAY_OFFSET)

    @property
    def keep_v(self) -> int:
        """The share of the membrane that a step keeps, in units of 1/4096."""
        return UNITY - self.dv

    @property
    def bias(self) -> int:
        """The number that is added to the membrane in every step."""
        return self.bias_mantissa << self.bias_exponent

    @property
    def level(self) -> int:
        """The membrane above which a spike comes."""
        return self.threshold << SHIFT

    def initial(self, arriving: Tensor) -> CubaState:
        """The state of a population at rest: no current, no potential.

        Args:
            arriving: any tensor of the population's shape, on its device; its values are not read.
        """
        nothing = torch.zeros_like(arriving, dtype=torch.int32)
        return CubaState(nothing, nothing)

    def step(self, state: CubaState, arriving: Tensor) -> tuple[Tensor, Tensor, CubaState]:
        """Compute one time step; the state that is handed in stays as it is.

        Args:
            state: after the step before.
            arriving: what the synapses sum up to, a, whole numbers of the population's shape.

        Returns:
            Whether each neuron fires (bool); the membrane before its reset (int32); the state afterwards.
        """
        u = wrapped(toward_zero(state.u.long() * self.keep_u) + (arriving.long() << SHIFT))
        v = (toward_zero(state.v.long() * self.keep_v) + u + self.bias).clamp_(-(LIMIT - 1), LIMIT - 1)
        spikes = v > self.level
        v = v.int()
        return spikes, v, CubaState(u.int(), v.masked_fill(spikes, 0))

    @torch.no_grad()
    def run(self, arriving: Tensor, state: CubaState | None = None, currents: bool = False) -> CubaRun:
        """Run a population through time, in compiled code on a CPU and step by step elsewhere, with equal bits.

        Args:
            arriving: what the synapses sum up to at each step, whole numbers (T, B, *shape), T >= 1.
            state: after the step before the first; rest if None.
            currents: whether the current of every step is kept too.

        Returns:
            Spikes, membranes and the last state.

        Raises:
            UserError: what arrives is no tensor of whole numbers over time.
        """
        if arriving.is_floating_point() or arriving.is_complex() or arriving.ndim < 1 or len(arriving) == 0:
            raise UserError(
                f"Loihi's neuron takes whole numbers (T, B, *shape) with T >= 1, and was given "
                f"{str(arriving.dtype).removeprefix('torch.')} of shape {tuple(arriving.shape)}. Round them first"
            )
        state = state or self.initial(arriving[0])
        if kernel.serves(arriving):
            return CubaRun(*self._in_compiled_code(arriving, state, currents))
        spikes, membranes, every_u = [], [], []
        for now in arriving:
            fired, v, state = self.step(state, now)
            spikes.append(fired)
            membranes.append(v)
            if currents:
                every_u.append(state.u)
        return CubaRun(torch.stack(spikes), torch.stack(membranes), torch.stack(every_u) if currents else None, state)

    def _in_compiled_code(
        self, arriving: Tensor, state: CubaState, currents: bool
    ) -> tuple[Tensor, Tensor, Tensor | None, CubaState]:
        numbers = kernel.Numbers(self.keep_u, self.keep_v, self.bias, self.level)
        spikes, v, u, last_u, last_v = kernel.run(numbers, arriving, state.u, state.v, currents)
        return spikes, v, u, CubaState(last_u, last_v)


def toward_zero(product: Tensor) -> Tensor:
    """T(x) = sign(x) (|x| >> 12): the quotient by 4096, rounded toward zero.

    Args:
        product: int64, of any shape.
    """
    return (product + ((product >> 63) & (UNITY - 1))) >> DECAY_BITS


def wrapped(u: Tensor) -> Tensor:
    """The number in (-M, M] that differs from u by a multiple of 2M.

    Args:
        u: int64, of any shape.
    """
    return LIMIT - ((LIMIT - u) & (2 * LIMIT - 1))
