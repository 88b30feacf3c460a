"""The decay, the threshold and the resets that all leaky integrators with a threshold share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.neuron import Gates, Reset, State
from neurorules.contracts.surrogate import Surrogate
from neurorules.contracts.threshold_neuron import ThresholdNeuron


@dataclass(frozen=True)
class Integrator(ThresholdNeuron[State]):
    """v[t] = beta u[t-1] + I[t] and a reset; subclasses add a synaptic current, an adaptive threshold or another drive.

    The reset `subtract` subtracts v_threshold once, even if the membrane then remains above it.

    Args:
        beta: decay per step, exp(-dt/tau), in [0, 1]; a number, or a tensor (*shape) with one per neuron.
        v_threshold: threshold, > 0; a number or a tensor (*shape).
        reset: what a spike does to the membrane.
        reset_delay: whether the reset acts one step after the spike.
        surrogate: psi and its primitive, as functions of v - v_threshold.
    """

    beta: float | Tensor
    v_threshold: float | Tensor
    reset: Reset
    reset_delay: bool
    surrogate: Surrogate

    def above(self, v: Tensor) -> Tensor:
        """1 where a membrane is above the threshold. As in snnTorch, a late reset depends only on the membrane."""
        return self.spikes(v)

    def leaked(self, u: Tensor, current: Tensor, late: Tensor) -> Tensor:
        """The membrane before the reset of this step: beta u + I, including late resets."""
        if self.reset == "zero":
            u = (1 - late) * u
        v = self.beta * u + current
        return v - late * self.v_threshold if self.reset == "subtract" else v

    def hold_membrane(self, u: Tensor, late: Tensor) -> Tensor:
        """The membrane in a step in which it waits, when only late resets change it."""
        if self.reset == "none":
            return u
        return u - late * (self.v_threshold if self.reset == "subtract" else u)

    def after_reset(self, v: Tensor, spikes: Tensor, late: Tensor) -> Tensor:
        """The membrane after the resets by this step's spikes, except for those that have acted already."""
        if self.reset_delay or self.reset == "none":
            return v
        return v - (spikes - late) * (self.v_threshold if self.reset == "subtract" else v)

    def gates(self, state: State, before: Tensor) -> Gates:
        return Gates(self.beta * self.keep_hold(before), torch.ones_like(before), None)

    def keep_hold(self, before: Tensor) -> Tensor:
        return 1 - before if self.reset == "zero" else torch.ones_like(before)

    def to(self, device: torch.device, dtype: torch.dtype) -> Integrator[State]:
        return replace(self, beta=placed(self.beta, device, dtype), v_threshold=placed(self.v_threshold, device, dtype))

    def brian2_numbers(self) -> dict[str, float | np.ndarray]:
        """The numbers in the Brian2 text of every integrator."""
        return {"beta": flat_numbers(self.beta), "v_threshold": flat_numbers(self.v_threshold)}

    def brian2_late(self, adapted: str = "") -> str:
        """`late` as a Brian2 expression; the text `adapted` is appended to the membrane."""
        return "" if self.reset == "none" else f"int(u{adapted} - v_threshold > 0)"

    def brian2_leaked(self, name: str, current: str) -> list[str]:
        """`leaked` as Brian2 statements that write the variable `name`."""
        lines = ["u = (1 - late)*u"] if self.reset == "zero" else []
        lines += [f"{name} = beta*u", f"{name} = {name} + {current}"]
        return [*lines, f"{name} = {name} - late*v_threshold"] if self.reset == "subtract" else lines

    def brian2_hold(self) -> str:
        """`hold_membrane`, the membrane in a waiting step, as a Brian2 expression."""
        return {"subtract": "(u - late*v_threshold)", "zero": "(u - late*u)", "none": "u"}[self.reset]

    def brian2_after_reset(self, name: str) -> str:
        """`after_reset` as a Brian2 statement that writes `u`."""
        if self.reset_delay or self.reset == "none":
            return f"u = {name}"
        return f"u = {name} - (S - late)*{'v_threshold' if self.reset == 'subtract' else name}"

    def brian2_passed(self) -> str:
        """The share of a change that passes through a reset, as a Brian2 factor to append."""
        return "*(1 - S)" if self.reset == "zero" else ""


def placed(value: float | Tensor, device: torch.device, dtype: torch.dtype) -> float | Tensor:
    """Move a tensor with one number per neuron to a device; a plain number is returned unchanged."""
    return value.to(device, dtype) if isinstance(value, Tensor) else value


def flat_numbers(value: float | Tensor) -> float | np.ndarray:
    """Convert a tensor with one number per neuron to a flat float64 array (N,); a plain number is returned
    unchanged."""
    return value.detach().cpu().double().numpy().reshape(-1) if isinstance(value, Tensor) else value


def plain_decays(reset: Reset, *numbers: float | Tensor) -> tuple[float, ...] | None:
    """The decays of an integrator's low-pass filters; None if resets gate them or each neuron has its own decay."""
    plain = tuple(value for value in numbers if not isinstance(value, Tensor))
    return None if reset == "zero" or len(plain) < len(numbers) else plain
