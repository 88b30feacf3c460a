"""The integrator whose membrane also leaks by a constant amount, down to a floor; `if` and `lif` build one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.neuron import Gates, Reset
from neurorules.contracts.surrogate import Surrogate
from neurorules.contracts.threshold_neuron import Brian2Parts
from neurorules.language.errors import UserError
from neurorules.neurons._integrator import Integrator
from neurorules.neurons._leaky import LeakyIntegrator


class FlooredState(NamedTuple):
    """The state after a step, (B, *shape) each.

    Args:
        membrane: the membrane after the reset, not below the floor.
        spikes: the spikes of the step.
    """

    membrane: Tensor
    spikes: Tensor


@dataclass(frozen=True)
class ConstantLeak(Integrator[FlooredState]):
    """v[t] = beta u[t-1] + I[t] - leak; after the reset u[t] = max(v[t], floor).

    `Observed.v` is the membrane before the reset and before the floor.

    Source: Fusi & Mattia 1999 (doi.org/10.1162/089976699300016601), with beta = 1 and floor = 0.

    Args:
        leak: what the membrane loses in each step, >= 0.
        floor: the lowest membrane, <= 0; None for none.
    """

    leak: float
    floor: float | None

    def initial(self, current: Tensor) -> FlooredState:
        nothing = torch.zeros_like(current)
        return FlooredState(nothing, nothing)

    def late(self, state: FlooredState) -> Tensor:
        return self.above(state.membrane)

    def before(self, state: FlooredState) -> Tensor:
        return state.spikes

    def integrate(self, state: FlooredState, current: Tensor, late: Tensor) -> FlooredState:
        return FlooredState(self.leaked(state.membrane, current, late) - self.leak, state.spikes)

    def hold(self, state: FlooredState, moved: FlooredState, late: Tensor) -> FlooredState:
        return moved._replace(membrane=self.hold_membrane(state.membrane, late))

    def v(self, moved: FlooredState) -> Tensor:
        return moved.membrane

    def settle(self, moved: FlooredState, spikes: Tensor, late: Tensor) -> FlooredState:
        membrane = self.after_reset(moved.membrane, spikes, late)
        return FlooredState(membrane if self.floor is None else membrane.clamp(min=self.floor), spikes)

    def gates(self, state: FlooredState, before: Tensor) -> Gates:
        gates = super().gates(state, before)
        if self.floor is None:
            return gates
        return gates._replace(keep=gates.keep * (state.membrane > self.floor))

    def brian2_parts(self) -> Brian2Parts:
        numbers = {**self.brian2_numbers(), "leak": self.leak}
        stops, above = [self.brian2_after_reset("mem")], ""
        if self.floor is not None:
            numbers["lowest"], above = self.floor, "*int(u > lowest)"
            stops.append("u = clip(u, lowest, inf)")
        return Brian2Parts(
            late=self.brian2_late(),
            integrate=(*self.brian2_leaked("mem", "I"), "mem = mem - leak"),
            hold=self.brian2_hold(),
            v="mem",
            settle=tuple(stops),
            keep=f"beta{self.brian2_passed()}{above}",
            admit="1.0",
            keep_hold=self.brian2_passed(),
            numbers=numbers,
        )


def with_leak(
    neuron: str, beta: float, v_threshold: float, reset: Reset, reset_delay: bool, surrogate: Surrogate,
    leak: float, floor: float | None,
) -> LeakyIntegrator | ConstantLeak:  # fmt: skip
    """Make an integrator with a constant leak or a floor, or the plain one without both.

    Args:
        neuron: its name, for messages.
        beta, v_threshold, reset, reset_delay, surrogate: as in `Integrator`.
        leak, floor: as in `ConstantLeak`.

    Returns:
        The neuron.

    Raises:
        UserError: the floor is above 0, or a membrane without input would sink for ever.
    """
    if floor is None and leak == 0:
        return LeakyIntegrator(beta, v_threshold, reset, reset_delay, surrogate)
    if floor is not None and floor > 0:
        raise UserError(f"neuron '{neuron}': floor={floor:g} is above 0, where the membrane begins. Give at most 0")
    if floor is None and beta == 1:
        raise UserError(f"neuron '{neuron}': with leak={leak:g} a silent membrane sinks for ever. Add floor=0")
    return ConstantLeak(beta, v_threshold, reset, reset_delay, surrogate, leak, floor)
