"""Weights of b bits with stochastic rounding, read through the mismatch of one chip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from hardware_models.mismatch import log_normal_gain
from hardware_models.rounding import nearest, saturate, short_step, stochastic
from neurorules.language.ranges import NonNegative, Positive, Range, Whole, ranged

STEP_MANTISSA_BITS = 8
"""With codes of at most 15 bits and a sign, code times step is exact in float32 (24 bits)."""
SEED_OFFSET = 4_000_037
"""Keeps a chip's draws apart from those of initial weights, which come from the same seed."""
READ_PJ_A_BIT, ADD_PJ_A_BIT = 10 / 64, 0.03 / 8
"""At 45 nm: 64 bits from a memory of 8 KB take 10 pJ, adding 8 bits 0.03 pJ. Source: M. Horowitz, ISSCC 2014."""


@ranged("device 'fixed_point'")
@dataclass(frozen=True)
class FixedPoint:
    """stored = step * code, code in -2^(b-1) .. 2^(b-1) - 1;  read = stored * gain.

    Args:
        bits: b, 2..16, the sign included.
        cv: coefficient of variation of the gains, >= 0. Default: DYNAP-SE in rockpool's `mismatch_generator`.
        mismatch: a gain for each synapse, or one for all inputs of a neuron.
        rounding: of updates; programming always takes the nearest code.
        range: the largest weight, > 0, for all connections; None: from the weights programmed.
        headroom: else, the largest weight in units of the largest programmed (all zero: of 1/sqrt(fan-in)), > 0.
        power_of_two: whether each connection's step is a power of two, the next above.
        chip: seed of the gains and of rounding; None: the run's seed.

    Raises:
        UserError: a value outside its range.
    """

    bits: Annotated[int, Range("[2, 16]")] = 8
    cv: NonNegative = 0.1
    mismatch: Literal["synapse", "neuron"] = "synapse"
    rounding: Literal["stochastic", "nearest"] = "stochastic"
    range: Positive | None = None
    headroom: Positive = 4.0
    power_of_two: bool = False
    chip: Whole | None = None

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """The gains of one chip, "<connection>/gain" (none with cv=0), and the "generator" that rounding draws from."""
        generator = torch.Generator().manual_seed((seed if self.chip is None else self.chip) + SEED_OFFSET)
        state: dict[str, Any] = {}
        if self.cv > 0:
            for name, shape in shapes.items():
                drawn = shape if self.mismatch == "synapse" else (shape[0], *(1 for _ in shape[1:]))
                state[f"{name}/gain"] = log_normal_gain(drawn, self.cv, generator)
        return {**state, "generator": generator.get_state()}

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Choose the connection's step, "<connection>/step", and program the nearest codes."""
        step = torch.tensor(self._step(w), dtype=torch.float64, device=w.device)
        state = {**state, f"{name}/step": step}
        if self.cv > 0:
            state[f"{name}/gain"] = state[f"{name}/gain"].to(w.device)
        codes = saturate(nearest(w / step.to(w.dtype)), self.bits)
        return codes * step.to(w.dtype), state

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """What the synapses deliver: stored weights times gains."""
        return w * state[f"{name}/gain"].to(w.dtype) if self.cv > 0 else w

    def energy_pJ(self, spikes: float, synops: float) -> float:
        """A weight read and added for each synaptic operation; neurons, routing and leakage are left out."""
        return synops * self.bits * (READ_PJ_A_BIT + ADD_PJ_A_BIT)

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Add a rounded number of steps to the codes; no change asked for, none made."""
        step = state[f"{name}/step"].to(w.dtype)
        codes = nearest(w / step)
        # What is no multiple of the step (of another device, say) is rounded with the update.
        asked = (w - codes * step + dw) / step
        if self.rounding == "nearest":
            return saturate(codes + nearest(asked), self.bits) * step, state
        generator = torch.Generator()
        generator.set_state(state["generator"].cpu())
        moved = saturate(codes + stochastic(asked, generator), self.bits)
        return moved * step, {**state, "generator": generator.get_state()}

    def _step(self, w: Tensor) -> float:
        largest = self.range
        if largest is None:
            peak = float(w.abs().max())
            largest = self.headroom * (peak if peak > 0 else 1 / math.sqrt(w[0].numel()))
        step = largest / (2 ** (self.bits - 1) - 1)
        return short_step(step, 1 if self.power_of_two else STEP_MANTISSA_BITS)


ENTRY = FixedPoint
