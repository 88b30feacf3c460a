"""Leaky integrators with more state than a membrane: a synaptic current, an adaptive threshold, a refractory period."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.neuron import Brian2Text, Dynamics, Gates, Neuron, Observed, Reset, State
from neurorules.contracts.surrogate import Surrogate
from neurorules.neurons._leaky import flat_numbers, placed


class Adaptation(NamedTuple):
    """b[t] = rho b[t-1] + S[t-1]; the threshold is v_threshold + kappa b[t]."""

    rho: float
    kappa: float


@dataclass(frozen=True)
class GatedIntegrator(Neuron):
    """i[t] = alpha i[t-1] + I[t], v[t] = beta u[t-1] + i[t]; without alpha, i[t] = I[t].

    Resets, their delay and a membrane that stays above its threshold are as in `LeakyIntegrator`. After a spike, for
    `refractory` steps, the membrane is held where the reset leaves it: no leak, no input, no spike; the synaptic
    current and the adaptation go on. `Observed.v` is the membrane minus kappa b, so that psi and every text compare it
    with v_threshold. For derivatives, resets, refractory periods and adaptation are held fixed; psi is 0 while no
    spike can come.

    Args:
        alpha: decay of the synaptic current a step, in [0, 1]; None for none.
        adaptation: None for a threshold that stays.
        refractory: steps, >= 0.
    """

    beta: float | Tensor
    v_threshold: float | Tensor
    reset: Reset
    reset_delay: bool
    surrogate: Surrogate
    alpha: float | Tensor | None = None
    adaptation: Adaptation | None = None
    refractory: int = 0
    spiking = True

    def initial(self, current: Tensor) -> State:
        nothing = torch.zeros_like(current)
        return State(
            nothing,
            nothing,
            None if self.alpha is None else nothing,
            None if self.adaptation is None else nothing,
            nothing if self.refractory else None,
        )

    def step(self, state: State, current: Tensor) -> tuple[Tensor, Observed, State]:
        assert state.spikes is not None
        late, u, theta = self._late(state), state.membrane, self.v_threshold
        i = current if state.current is None else self.current_decay * state.current + current
        b = None if state.adaptation is None or self.adaptation is None else (
            self.adaptation.rho * state.adaptation + state.spikes
        )  # fmt: skip
        if self.reset == "zero" and self.alpha is None:
            u = (1 - late) * u
        v = self.beta * u + i
        if self.reset == "subtract":
            v = v - late * theta
        elif self.reset == "zero" and self.alpha is not None:
            v = v - late * v
        free = None if state.left is None else (state.left <= 0).to(current.dtype)
        if free is not None:
            held = u - late * (theta if self.reset == "subtract" else 0 if self.reset == "none" else u)
            v = free * v + (1 - free) * held
        seen = v if b is None or self.adaptation is None else v - self.adaptation.kappa * b
        spikes = ((seen - theta) > 0).to(current.dtype)
        left = None
        if state.left is not None and free is not None:
            spikes = spikes * free
            left = spikes * self.refractory + (1 - spikes) * (state.left - 1).clamp(min=0)
        after = v
        if not self.reset_delay and self.reset != "none":
            after = v - (spikes - late) * (theta if self.reset == "subtract" else v)
        kept = State(after, spikes, None if state.current is None else i, b, left)
        return spikes, Observed(seen, gates=self._gates(state.spikes, free)), kept

    def _late(self, state: State) -> Tensor:
        """Resets that the step before left to this one.

        snnTorch finds them by a membrane that is still above its threshold. A refractory neuron's may be, held there
        without a spike: its resets are those of its spikes.
        """
        assert state.spikes is not None
        if self.refractory:
            return state.spikes if self.reset_delay else torch.zeros_like(state.spikes)
        u = state.membrane
        if state.adaptation is not None and self.adaptation is not None:
            u = u - self.adaptation.kappa * state.adaptation
        return ((u - self.v_threshold) > 0).to(u.dtype)

    def _gates(self, before: Tensor, free: Tensor | None) -> Gates:
        keep = self.beta * (1 - before if self.reset == "zero" else torch.ones_like(before))
        admit = 1 - before if self._admission_resets else torch.ones_like(before)
        if free is None:
            return Gates(keep, admit, None)
        held = (1 - free) * (1 - before) if self.reset == "zero" else 1 - free
        return Gates(free * keep + held, free * admit, free)

    @property
    def _admission_resets(self) -> bool:
        """Whether a delayed reset to zero wipes out the current of its step as well (snnTorch's Synaptic)."""
        return self.alpha is not None and self.reset == "zero" and self.reset_delay

    @property
    def scale(self) -> float | Tensor:
        """The threshold at rest."""
        return self.v_threshold

    @property
    def current_decay(self) -> float | Tensor:
        """alpha; 0 without a synaptic current."""
        return 0.0 if self.alpha is None else self.alpha

    def decays(self) -> tuple[float, ...] | None:
        """Of the low-pass filters in a row that its membrane is where no spike gates it; None else."""
        numbers = [value for value in (self.alpha, self.beta) if value is not None]
        plain = [value for value in numbers if not isinstance(value, Tensor)]
        return None if self.reset == "zero" or self.refractory or len(plain) < len(numbers) else tuple(plain)

    def psi(self, v: Tensor) -> Tensor:
        return self.surrogate.psi(v - self.v_threshold)

    def primitive(self, v: Tensor) -> Tensor:
        return self.surrogate.primitive(v - self.v_threshold)

    def dynamics(self) -> Dynamics | None:
        return None

    def brian2(self) -> Brian2Text:
        numbers = {"beta": flat_numbers(self.beta), "v_threshold": flat_numbers(self.v_threshold)}
        state = ["keep", "admit"]
        if self.alpha is not None:
            numbers["alpha"], state = flat_numbers(self.alpha), [*state, "syn"]
        if self.adaptation is not None:
            numbers |= self.adaptation._asdict()
            state.append("adapt")
        if self.refractory:
            numbers["refractory_steps"] = float(self.refractory)
            state += ["left", "free"]
        current = "syn" if self.alpha is not None else None
        lines = (*self._brian2_before(), *self._brian2_membrane(), *self._brian2_after())
        return Brian2Text(lines, numbers, self.surrogate, tuple(state), current, bool(self.refractory))

    def _brian2_before(self) -> list[str]:
        """What waits from the step before; `S` still is that step's spike."""
        adapted = "" if self.adaptation is None else " - kappa*adapt"
        lines = []
        if self.reset != "none":
            late = f"int(u{adapted} - v_threshold > 0)"
            if self.refractory:
                late = "int(S > 0)" if self.reset_delay else "0.0"
            lines.append(f"late = {late}")
        keep, admit = ("beta*(1 - S)" if self.reset == "zero" else "beta"), "1.0"
        if self._admission_resets:
            admit = "(1 - S)"
        if self.refractory:
            lines.append("free = int(left <= 0)")
            held = "(1 - free)*(1 - S)" if self.reset == "zero" else "(1 - free)"
            keep, admit = f"free*{keep} + {held}", f"free*{admit}"
        lines += [f"keep = {keep}", f"admit = {admit}"]
        lines += ["syn = alpha*syn", "syn = syn + I"] if self.alpha is not None else []
        lines += ["adapt = rho*adapt", "adapt = adapt + S"] if self.adaptation is not None else []
        return lines

    def _brian2_membrane(self) -> list[str]:
        lines = ["u = (1 - late)*u"] if self.reset == "zero" and self.alpha is None else []
        lines += ["mem = beta*u", f"mem = mem + {'I' if self.alpha is None else 'syn'}"]
        lines += ["mem = mem - late*v_threshold"] if self.reset == "subtract" else []
        lines += ["mem = mem - late*mem"] if self.reset == "zero" and self.alpha is not None else []
        if self.refractory:
            held = {"subtract": "(u - late*v_threshold)", "zero": "(u - late*u)", "none": "u"}[self.reset]
            lines.append(f"mem = free*mem + (1 - free)*{held}")
        return lines

    def _brian2_after(self) -> list[str]:
        lines = ["v = mem" if self.adaptation is None else "v = mem - kappa*adapt"]
        lines.append("S = int(v - v_threshold > 0)" + ("*free" if self.refractory else ""))
        if self.refractory:
            lines.append("left = S*refractory_steps + (1 - S)*clip(left - 1, 0, inf)")
        if self.reset_delay or self.reset == "none":
            return [*lines, "u = mem"]
        return [*lines, f"u = mem - (S - late)*{'v_threshold' if self.reset == 'subtract' else 'mem'}"]

    def to(self, device: torch.device, dtype: torch.dtype) -> GatedIntegrator:
        alpha = self.alpha if self.alpha is None else placed(self.alpha, device, dtype)
        beta, theta = placed(self.beta, device, dtype), placed(self.v_threshold, device, dtype)
        return replace(self, alpha=alpha, beta=beta, v_threshold=theta)
