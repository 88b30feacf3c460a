"""What every neuron offers, and the leaky integrator that `if`, `lif` and `leaky_readout` are instances of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.surrogate import Surrogate
from neurorules.language.errors import UserError

Reset = Literal["subtract", "zero", "none"]


class Gates(NamedTuple):
    """How a step passes small changes on, its resets held fixed; (B, *shape) each.

    Args:
        keep: derivative of v by the v of the step before.
        admit: derivative of v by the current that drives it.
        fires: 1 where a spike could come, which scales psi; None for everywhere.
    """

    keep: Tensor
    admit: Tensor
    fires: Tensor | None


class Observed(NamedTuple):
    """What rules, losses and recorders may read of one step.

    Args:
        v: the membrane before the reset, (B, *shape).
        inner: what an inner integration left, for a neuron of T = 1 that has one.
        gates: of a neuron with a memory that `dynamics` does not describe.
    """

    v: Tensor
    inner: Any = None
    gates: Gates | None = None


class State(NamedTuple):
    """After a step, (B, *shape) each; None for what a neuron does not have.

    Args:
        membrane: after the reset.
        spikes: of the step.
        current: of the synapses.
        adaptation: of the threshold.
        left: refractory steps to come.
    """

    membrane: Tensor
    spikes: Tensor | None = None
    current: Tensor | None = None
    adaptation: Tensor | None = None
    left: Tensor | None = None


def no_state(current: Tensor) -> State:
    """Of neurons that keep nothing from step to step: a membrane of 0, (B, *shape), which takes no memory."""
    return State(current.new_zeros(()).expand_as(current))


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
        surrogate: psi is this one of v - v_threshold; None for `slope`.
        state: further variables, which it writes; with `keep` and `admit` among them, it has gates (see `Gates`).
        current: of them, the low-pass filtered one that drives v, of decay `alpha`; None for I itself.
        rests: whether `free`, 0 or 1, says where a spike could come.
        slope: psi as text with {v} for the membrane; None for 1.
    """

    step: tuple[str, ...]
    numbers: Mapping[str, float | np.ndarray]
    surrogate: Surrogate | None
    state: tuple[str, ...] = ()
    current: str | None = None
    rests: bool = False
    slope: str | None = None


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

    @property
    def scale(self) -> float | Tensor:
        """What changes of its membrane are measured by: the threshold, where it has one."""
        return 1.0

    @property
    def current_decay(self) -> float | Tensor:
        """Decay of a synaptic current a step, of a neuron with gates; 0 for none."""
        return 0.0

    def decays(self) -> tuple[float, ...] | None:
        """Of a neuron with gates: the low-pass filters in a row that it is while nothing gates it; None elsewhere."""
        return None

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
