"""What every neuron offers, and the leaky integrator that `if`, `lif` and `leaky_readout` are instances of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.surrogates import Surrogate

Reset = Literal["subtract", "zero", "none"]


class Observed(NamedTuple):
    """What rules, losses and recorders may read of one step.

    Args:
        v: the membrane before the reset, (B, *shape).
        inner: what an inner integration left, for a neuron of T = 1 that has one.
    """

    v: Tensor
    inner: Any = None


class State(NamedTuple):
    """Membrane after the step, and the spike of the step where a reset waits for the next one; (B, *shape) each."""

    membrane: Tensor


class Dynamics(NamedTuple):
    """Numbers of a leaky integrator: decay beta in [0, 1] a step and threshold, scalar or one a neuron; the reset."""

    beta: float | Tensor
    v_threshold: float | Tensor
    reset: Reset
    reset_delay: bool


class Brian2Text(NamedTuple):
    """The step as Brian2 code: it reads the current `I` and the state `u`, and writes `v`, `S` and `u`.

    A statement adds or takes away one term, in the order of `Neuron.step`: what rounds, rounds alike.

    Args:
        step: statements in order, all variables dimensionless.
        numbers: of the neurons, scalar or flat, by the names that `step` gives them.
        surrogate: psi is this one of v - v_threshold; None for psi = 1.
    """

    step: tuple[str, ...]
    numbers: Mapping[str, float | np.ndarray]
    surrogate: Surrogate | None


class Neuron(ABC):
    """A pure step: no state is kept here. Shapes: B batch rows, then the population's own shape."""

    spiking: bool
    steps: int | None = None
    """The only number of time steps it makes sense for, None for any (rate neurons: 1)."""
    steadier: str = "or use a neuron that leaks faster"
    """What else to try where a layer of it diverges."""
    work: int = 1
    """Steps of an inner integration in one time step."""
    pools_layer: bool = False
    """Whether a neuron's output depends on the others of its population."""
    learns: tuple[str, ...] = ()
    """Names of its own parameters, which a rule may let learn."""

    @abstractmethod
    def initial(self, current: Tensor) -> State:
        """Resting state for rows like `current` (B, *shape)."""

    @abstractmethod
    def step(self, state: State, current: Tensor) -> tuple[Tensor, Observed, State]:
        """One time step: (spikes, observed, state after), each (B, *shape)."""

    @abstractmethod
    def psi(self, v: Tensor) -> Tensor:
        """(Pseudo-)derivative of the output by the membrane before reset."""

    @abstractmethod
    def primitive(self, v: Tensor) -> Tensor:
        """A graded output whose derivative is `psi`: the loss "before the spike" reads it."""

    @abstractmethod
    def dynamics(self) -> Dynamics | None:
        """The leaky integrator it is, which fused scans run; None where `step` is the only description."""

    def parameters(self, shape: tuple[int, ...]) -> dict[str, Tensor]:
        """Start of each of its own parameters, for a population of this shape."""
        return {}

    def with_parameters(self, own: Mapping[str, Tensor]) -> Neuron:
        """The neuron that runs with these parameters; itself where it has none."""
        return self

    def brian2(self) -> Brian2Text:
        """The same step for Brian2.

        Raises:
            UserError: it has none.
        """
        raise UserError(
            f"neuron '{type(self).__name__}' has no Brian2 text, so it runs in torch alone: use --path torch"
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> Neuron:
        """The same neuron with per-neuron parameters on a device; itself where it has none."""
        return self


@dataclass(frozen=True)
class LeakyIntegrator(Neuron):
    """v[t] = beta u[t-1] + I[t]; a spike where v > v_threshold; u[t] = v[t] after the reset.

    Conventions are those of snnTorch 1.0.0's Leaky, bit for bit. `reset_delay` lets the reset of a spike take
    effect in the next step. `subtract` takes v_threshold away, once, also where the membrane stays above it.

    Args:
        beta: decay a step, exp(-dt/tau), in [0, 1]; a number or a tensor of the population's shape.
        v_threshold: threshold, > 0; likewise.
        reset: what a spike does to the membrane.
        reset_delay: the reset acts one step later.
        surrogate: psi and f around the threshold.
    """

    beta: float | Tensor
    v_threshold: float | Tensor
    reset: Reset
    reset_delay: bool
    surrogate: Surrogate
    spiking = True

    def initial(self, current: Tensor) -> State:
        return State(torch.zeros_like(current))

    def step(self, state: State, current: Tensor) -> tuple[Tensor, Observed, State]:
        u, theta = state.membrane, self.v_threshold
        late = ((u - theta) > 0).to(current.dtype)
        if self.reset == "zero":
            u = (1 - late) * u
        v = self.beta * u + current
        if self.reset == "subtract":
            v = v - late * theta
        spikes = ((v - theta) > 0).to(current.dtype)
        if self.reset_delay or self.reset == "none":
            return spikes, Observed(v), State(v)
        due = spikes - late
        after = v - due * (theta if self.reset == "subtract" else v)
        return spikes, Observed(v), State(after)

    def psi(self, v: Tensor) -> Tensor:
        return self.surrogate.psi(v - self.v_threshold)

    def primitive(self, v: Tensor) -> Tensor:
        return self.surrogate.primitive(v - self.v_threshold)

    def dynamics(self) -> Dynamics:
        return Dynamics(self.beta, self.v_threshold, self.reset, self.reset_delay)

    def brian2(self) -> Brian2Text:
        lines = ["late = int(u - v_threshold > 0)"] if self.reset != "none" else []
        lines += ["u = (1 - late)*u"] if self.reset == "zero" else []
        lines += ["v = beta*u", "v = v + I"]
        lines += ["v = v - late*v_threshold"] if self.reset == "subtract" else []
        lines += ["S = int(v - v_threshold > 0)"]
        if self.reset_delay or self.reset == "none":
            lines += ["u = v"]
        else:
            lines += [f"u = v - (S - late)*{'v_threshold' if self.reset == 'subtract' else 'v'}"]
        numbers = {"beta": _numbers(self.beta), "v_threshold": _numbers(self.v_threshold)}
        return Brian2Text(tuple(lines), numbers, self.surrogate)

    def to(self, device: torch.device, dtype: torch.dtype) -> LeakyIntegrator:
        def place(value: float | Tensor) -> float | Tensor:
            return value.to(device, dtype) if isinstance(value, Tensor) else value

        return LeakyIntegrator(place(self.beta), place(self.v_threshold), self.reset, self.reset_delay, self.surrogate)


def _numbers(value: float | Tensor) -> float | np.ndarray:
    """A number, or one a neuron as a flat array in float64."""
    return value.detach().cpu().double().numpy().reshape(-1) if isinstance(value, Tensor) else value
