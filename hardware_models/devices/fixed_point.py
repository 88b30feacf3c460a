"""Weights of b bits with stochastic rounding, read through the mismatch of one chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from hardware_models.account import Accountant, Figure, Figures, account
from hardware_models.chip import Rounding, generator_of, room_of, rounded
from hardware_models.mismatch import log_normal_gain, of_neurons
from hardware_models.rounding import nearest, saturate, short_step
from hardware_models.traffic import Widths
from neurorules.contracts.device_account import Account, SampleWork
from neurorules.contracts.device_hooks import Codes
from neurorules.language.ranges import NonNegative, Positive, Range, Whole, ranged

STEP_MANTISSA_BITS = 8
"""Bits of the mantissa of a step: a code of at most 15 bits and a sign, times a step, is exact in float32 (24 bits)."""
SEED_OFFSET = 4_000_037
"""Added to the seed, so that what a chip draws is independent of the initial weights, which have the same seed."""
READ_PJ_A_BIT, ADD_PJ_A_BIT = 10 / 64, 0.03 / 8
"""Energy of reading and of adding one bit, in pJ. At 45 nm, reading 64 bits from a memory of 8 KB takes 10 pJ, and
adding 8 bits 0.03 pJ. Source: M. Horowitz, ISSCC 2014."""
CHANGE_PJ = 0.23
"""A product of 8 bits and an addition, which make a weight's change; memory stands apart. Source as above."""
HOROWITZ = ("estimated", "Horowitz, ISSCC 2014, 45 nm, 0.9 V")


@ranged("device 'fixed_point'")
@dataclass(frozen=True)
class FixedPoint(Accountant):
    """stored = step * code, with codes in -2^(b-1) .. 2^(b-1) - 1;  read = stored * gain.

    Args:
        bits: b, 2..16, the sign included.
        cv: coefficient of variation of the gains, >= 0. The default is that of DYNAP-SE in rockpool's
            `mismatch_generator`.
        mismatch: whether each synapse has a gain of its own, or each neuron one gain for all its inputs.
        rounding: how updates are rounded; programming always takes the nearest code.
        range: the largest weight of all connections, > 0; None takes it from the weights that are programmed.
        headroom: without a range, the largest weight in units of the largest one that is programmed, > 0 (where all are
            zero, in units of 1/sqrt(fan-in)).
        power_of_two: whether the step of each connection is rounded up to a power of two.
        chip: seed of the gains and of rounding; None takes the seed of the run.

    Raises:
        UserError: a value outside its range.
    """

    bits: Annotated[int, Range("[2, 16]")] = 8
    cv: NonNegative = 0.1
    mismatch: Literal["synapse", "neuron"] = "synapse"
    rounding: Rounding = "stochastic"
    range: Positive | None = None
    headroom: Positive = 4.0
    power_of_two: bool = False
    chip: Whole | None = None
    ideal: ClassVar[str] = "bits=16:cv=0"
    constraints: ClassVar[Mapping[str, str]] = {"bits of weights": "bits=16", "mismatch": "cv=0"}

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw the gains of one chip.

        Args:
            shapes: shape of each connection's weights, by parameter name.
            seed: seed of the run, used unless `chip` is set.

        Returns:
            "<parameter>/gain" for each connection (none with cv=0), and the state of the "generator" of rounding.
        """
        generator = generator_of(self.chip, seed, SEED_OFFSET)
        state: dict[str, Any] = {}
        if self.cv > 0:
            for name, shape in shapes.items():
                drawn = shape if self.mismatch == "synapse" else of_neurons(shape)
                state[f"{name}/gain"] = log_normal_gain(drawn, self.cv, generator)
        return {**state, "generator": generator.get_state()}

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Choose the step of a connection, "<parameter>/step", and program the nearest codes.

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: weights at full precision.

        Returns:
            The stored weights, and the state with the step.
        """
        step = torch.tensor(self._step(w), dtype=torch.float64, device=w.device)
        state = {**state, f"{name}/step": step}
        if self.cv > 0:
            state[f"{name}/gain"] = state[f"{name}/gain"].to(w.device)
        codes = saturate(nearest(w / step.to(w.dtype)), self.bits)
        return codes * step.to(w.dtype), state

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Read the stored weights through the gains of the synapses.

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: stored weights.

        Returns:
            The stored weights times the gains, of the same shape and type; the stored weights themselves with cv=0.
        """
        return w * state[f"{name}/gain"].to(w.dtype) if self.cv > 0 else w

    def codes(self, state: dict[str, Any], name: str, w: Tensor) -> Codes:
        """The whole numbers that the chip stores, and the size of one.

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: stored weights.

        Returns:
            Codes of b bits, and the step of the connection.
        """
        step, half = float(state[f"{name}/step"]), 2 ** (self.bits - 1)
        return Codes(nearest(w.double() / step).to(torch.int64), step, -half, half - 1)

    def account(self, sample: SampleWork) -> Account:
        """Count a sample's events and what they take, in the logic and memory of 45 nm.

        Args:
            sample: what happens in it.

        Returns:
            Terms of energy with the source of each figure, and the bytes of learning.
        """
        byte = Figure(8 * READ_PJ_A_BIT, HOROWITZ[0], f"{HOROWITZ[1]}: a memory of 8 KB, written as it is read")
        added = self.bits * (READ_PJ_A_BIT + ADD_PJ_A_BIT)
        synop = Figure(added, HOROWITZ[0], f"{HOROWITZ[1]}: {self.bits} bits read and added")
        change = Figure(CHANGE_PJ, HOROWITZ[0], f"{HOROWITZ[1]}: a product of 8 bits and an addition")
        figures: Figures = {"synop": synop, "weight_update": change, "byte_read": byte, "byte_written": byte}
        return account(sample, figures, self.unpublished, Widths(weight=self.bits / 8))

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Add a rounded number of steps to the codes. A change of 0 leaves the weights as they are.

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: stored weights.
            dw: the change that is asked for, of the shape of `w`.

        Returns:
            The stored weights afterwards, and the state with the generator moved on.
        """
        step = state[f"{name}/step"].to(w.dtype)
        codes = nearest(w / step)
        # Another device of a chain can leave weights that are no multiples of the step. What remains of them is rounded
        # together with the update.
        wanted = (w - codes * step + dw) / step
        steps, state = rounded(state, wanted, self.rounding)
        return saturate(codes + steps, self.bits) * step, state

    def _step(self, w: Tensor) -> float:
        """The size of one step of a connection, from the weights that are programmed."""
        largest = self.range
        if largest is None:
            largest = room_of(w, self.headroom)
        step = largest / (2 ** (self.bits - 1) - 1)
        return short_step(step, 1 if self.power_of_two else STEP_MANTISSA_BITS)


ENTRY = FixedPoint
