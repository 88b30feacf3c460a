"""Loihi's learning engine: traces of 7 bits, and changes of weights that are sums of products, once every epoch.

In each of an epoch's T steps a trace decays, x <- SR(exp(-1/tau) x), and gains its impulse where a spike comes, up to
127. A rule is a sum of products, each with one spike that it waits for (x0 or y0):

    dw = sum_i  mantissa_i 2^exponent_i  [x0 or y0]  prod_j (V_ij + C_ij)

with the traces V as they are at the time of that spike, the impulse of the same step included. The last spike of an
epoch has a time; each earlier one adds its impulse to the trace at once. In whole numbers, products are summed in 16
bits with 7 bits behind the point, and the sum is rounded at random to a weight of 9 bits.

A product whose parts have more than 15 bits together loses its lowest bits and is smaller by as many powers of two. Two
traces and their spike have 15 bits and the mantissa 4, so that 4 bits are lost and the product counts a sixteenth. The
exponent has to make up for that, on the chip as here. Products that wait for the clock of the epochs (u), a synapse's
tag and delay, and signs of variables are left out.

Source: Lava (lava-nc 0.10.0), `lava.magma.core.learning`, `LearningConnectionModelFloat` and `-BitApproximate`; Davies
et al. 2018, IEEE Micro 38(1). There one random number serves all synapses of a step; here each has its own, so that
roundings are independent. A decay is a float on both sides; the chip has a table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import torch
from torch import Tensor

from hardware_models.rounding import stochastic
from neurorules.language.errors import UserError
from neurorules.language.ranges import Range, ranged

TRACE_TOP = 127
"""The largest value of a trace, of 7 bits without sign. Source of all widths: `lava.magma.core.learning.constants`."""
WEIGHT_LOW, WEIGHT_TOP = -256, 255
"""The least and the largest weight, of 9 bits with sign."""
ACCUMULATOR_TOP = 1 << 15
"""The largest sum of products, of 16 bits with sign."""
FRACTION_BITS = 7
"""Bits of the sum behind the weight's point."""
WIDTHS = {"x0": 1, "y0": 1, "x1": 7, "x2": 7, "y1": 7, "y2": 7, "y3": 7, "w": 9, "t": 9, "d": 6}
"""Bits of what a product may read: spikes, traces of the presynaptic and of the postsynaptic neuron, the synapse's
weight, tag and delay. Source: as above, and Davies et al. 2018, Table 1, of the delay."""
CONSTANT_BITS, MANTISSA_BITS = 8, 4
"""The widths of a constant beside a factor, and of the mantissa of a scale."""
Variable = Literal["x1", "x2", "y1", "y2", "y3", "w"]
Spike = Literal["x0", "y0"]


class Factor(NamedTuple):
    """One factor of a product, V + C: a variable of the synapse plus a constant.

    Args:
        variable: V, a trace or the weight; None for a constant alone.
        constant: C, a whole number of 8 bits.
    """

    variable: Variable | None
    constant: int = 0


@dataclass(frozen=True)
class Product:
    """One product of a sum: mantissa 2^exponent [spike] prod (V + C).

    Args:
        spike: what it waits for: x0, a presynaptic spike in the epoch, or y0, a postsynaptic one.
        factors: the rest of it.
        mantissa: whole number of 4 bits, -15..15.
        exponent: -8..7.

    Raises:
        UserError: a number that the register does not hold.
    """

    spike: Spike
    factors: tuple[Factor, ...]
    mantissa: int = 1
    exponent: int = 0

    def __post_init__(self) -> None:
        if not (abs(self.mantissa) < 1 << MANTISSA_BITS and -8 <= self.exponent <= 7):
            raise UserError(
                f"a product's scale {self.mantissa} 2^{self.exponent} does not fit: the mantissa has {MANTISSA_BITS} "
                f"bits and a sign, the exponent is -8..7"
            )
        if any(abs(factor.constant) >= 1 << (CONSTANT_BITS - 1) for factor in self.factors):
            raise UserError(f"a constant of a product has {CONSTANT_BITS} bits with its sign. Give -127..127")


@ranged("Loihi's trace")
@dataclass(frozen=True)
class TraceRegister:
    """A trace of one side of the synapses.

    Args:
        tau: its time constant in steps, > 0; inf forgets nothing.
        impulse: what a spike adds, 0..127.
    """

    tau: Annotated[float, Range("(0, inf]")] = 10.0
    impulse: Annotated[float, Range(f"[0, {TRACE_TOP}]")] = 16.0

    @property
    def decay(self) -> float:
        """The share of the trace that one step leaves, exp(-1/tau)."""
        return math.exp(-1 / self.tau)


class EngineState(NamedTuple):
    """The state of the learning engine between two epochs.

    Args:
        w: weights, (O, I).
        x, y: traces by name, as they were when the epoch began, (I,) and (O,).
        tx, ty: the step of the last spike in this epoch, from 1; 0 for none; (I,) and (O,).
        step: steps of this epoch that are done.
    """

    w: Tensor
    x: dict[str, Tensor]
    y: dict[str, Tensor]
    tx: Tensor
    ty: Tensor
    step: int


@dataclass(frozen=True)
class LearningEngine:
    """A rule of Loihi on a matrix of synapses.

    Args:
        products: products of the rule, in their order.
        traces: by name, such as {"x1": TraceRegister(tau=10), "y1": TraceRegister(tau=10)}.
        epoch: T, 1..63.
        integer: whole numbers, as the chip has them; else plain floats, without bounds.

    Raises:
        UserError: a product reads a trace that is not declared, or an epoch of another length.
    """

    products: tuple[Product, ...]
    traces: dict[str, TraceRegister]
    epoch: Annotated[int, Range("[1, 63]")] = 1
    integer: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.epoch <= 63:
            raise UserError(f"an epoch of {self.epoch} steps does not fit 6 bits. Give 1..63")
        read = {str(f.variable) for product in self.products for f in product.factors if f.variable is not None}
        missing = sorted(name for name in read - {"w"} if name not in self.traces)
        if missing:
            raise UserError(f"a product reads the trace '{missing[0]}', which has no register. Declare it in traces")
        broken = sorted(name for name, trace in self.traces.items() if trace.impulse != int(trace.impulse))
        if self.integer and broken:
            raise UserError(
                f"the impulse of '{broken[0]}' is {self.traces[broken[0]].impulse:g}, and a whole number is added in "
                f"whole numbers. Round it"
            )

    def initial(self, w: Tensor) -> EngineState:
        """The state before the first step.

        Args:
            w: weights (O, I), of any type; whole numbers for the integer engine.
        """
        w = w.double()
        x, y = ({name: w.new_zeros(n) for name in self.traces if name[0] == side} for side, n in
                (("x", w.shape[1]), ("y", w.shape[0])))  # fmt: skip
        return EngineState(w, x, y, w.new_zeros(w.shape[1]), w.new_zeros(w.shape[0]), 0)

    def step(self, state: EngineState, pre: Tensor, post: Tensor, generator: torch.Generator) -> EngineState:
        """One step; the last one of an epoch changes the weights.

        Args:
            state: after the step before; stays as it is.
            pre: spikes (I,), 0 or 1.
            post: spikes (O,), 0 or 1.
            generator: draws the roundings of the integer engine, and nothing else.

        Returns:
            The state afterwards.
        """
        now = state.step + 1
        x, tx = self._spiked(state.x, state.tx, pre.bool(), now)
        y, ty = self._spiked(state.y, state.ty, post.bool(), now)
        state = EngineState(state.w, x, y, tx, ty, now)
        return state if now < self.epoch else self._learned(state, generator)

    def _spiked(
        self, traces: dict[str, Tensor], times: Tensor, fired: Tensor, now: int
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Note the time of spikes; where one has come before in this epoch, its impulse is added at once."""
        again = fired & (times > 0)
        added = {name: torch.where(again, self._hit(name, value), value) for name, value in traces.items()}
        return added, torch.where(fired, torch.full_like(times, now), times)

    def _hit(self, name: str, value: Tensor) -> Tensor:
        value = value + self.traces[name].impulse
        return value.clamp(max=TRACE_TOP) if self.integer else value

    def _courses(self, traces: dict[str, Tensor], times: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Each trace after each step of the epoch, (T, n)."""
        courses = {}
        for name, value in traces.items():
            course = []
            for now in range(1, self.epoch + 1):
                value = value * self.traces[name].decay
                value = stochastic(value, generator) if self.integer else value
                value = torch.where(times == now, self._hit(name, value), value)
                course.append(value)
            courses[name] = torch.stack(course)
        return courses

    def _learned(self, state: EngineState, generator: torch.Generator) -> EngineState:
        x, y = self._courses(state.x, state.tx, generator), self._courses(state.y, state.ty, generator)
        total = state.w * 2**FRACTION_BITS if self.integer else state.w
        for product in self.products:
            term = self._term(product, state, x, y)
            total = total + term
            total = total.clamp(-ACCUMULATOR_TOP, ACCUMULATOR_TOP - 1) if self.integer else total
        if self.integer:
            total = stochastic(total / 2**FRACTION_BITS, generator).clamp(WEIGHT_LOW, WEIGHT_TOP)
        none_x, none_y = torch.zeros_like(state.tx), torch.zeros_like(state.ty)
        last = [{name: course[-1] for name, course in side.items()} for side in (x, y)]
        return EngineState(total, last[0], last[1], none_x, none_y, 0)

    def _term(self, product: Product, state: EngineState, x: dict[str, Tensor], y: dict[str, Tensor]) -> Tensor:
        """A product at every synapse, (O, I), as it is added to the sum."""
        waits, times = (state.tx[None, :], state.tx) if product.spike == "x0" else (state.ty[:, None], state.ty)
        value, bits = (waits > 0).to(state.w.dtype), 1
        at = (times.long() - 1).clamp(min=0)
        for name, constant in product.factors:
            value = value * self._clipped(self._read(name, product.spike, at, state, x, y) + constant, name)
            bits += WIDTHS[name] if name is not None else CONSTANT_BITS
        value = value * product.mantissa
        if not self.integer:
            return value * 2.0**product.exponent
        lost = max(0, bits + MANTISSA_BITS - 15)
        value = torch.floor(value / 2**lost) * 2.0 ** (FRACTION_BITS + product.exponent)
        return torch.floor(value).clamp(-ACCUMULATOR_TOP, ACCUMULATOR_TOP - 1)

    def _read(
        self, name: str | None, spike: Spike, at: Tensor, state: EngineState, x: dict[str, Tensor], y: dict[str, Tensor]
    ) -> Tensor:
        """The values that a factor reads at the time of its spike, (O, I) or what broadcasts to it."""
        if name is None:
            return state.w.new_zeros(())
        if name == "w":
            return state.w
        course = x[name] if name[0] == "x" else y[name]
        if spike[0] == name[0]:  # of the neuron that fires
            own = course.gather(0, at[None])[0]
            return own[None, :] if spike == "x0" else own[:, None]
        values = course[at]  # (n of the spike's side, n of the trace's)
        return values.T if spike == "x0" else values

    def _clipped(self, value: Tensor, name: str | None) -> Tensor:
        if not self.integer:
            return value
        top = 1 << (WIDTHS[name] if name is not None else CONSTANT_BITS)
        return value.clamp(-top, top - 1)


def pair_stdp(potentiation: int = 1, depression: int = -1, exponent: int = 0) -> tuple[Product, ...]:
    """Pair-based spike-timing dependent plasticity: dw = depression x0 y1 + potentiation y0 x1, each times 2^exponent.

    Args:
        potentiation: mantissa of the change at postsynaptic spikes.
        depression: mantissa of the change at presynaptic spikes.
        exponent: exponent of both products.

    Returns:
        The two products, in the order in which Lava adds them.
    """
    return (
        Product("x0", (Factor("y1"),), depression, exponent), Product("y0", (Factor("x1"),), potentiation, exponent),
    )  # fmt: skip
