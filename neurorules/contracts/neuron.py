"""The contract of neurons: a pure step function, a state type, and the quantities that rules, losses and Brian2 read.

B is the number of batch rows and *shape the population's own shape. Currents, membranes and spikes are (B, *shape).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.gates import Crossing
from neurorules.contracts.gates import Gates as Gates
from neurorules.contracts.members import Contract
from neurorules.contracts.membrane_unit import Millivolts
from neurorules.contracts.no_text import no_brian2_text, no_spike_times
from neurorules.contracts.own_effects import Adaptation, OwnFactor
from neurorules.contracts.surrogate import Surrogate

Reset = Literal["subtract", "zero", "none"]
"""What a spike does to the membrane: subtract the threshold, set the membrane to 0, or nothing."""

State = TypeVar("State", bound=tuple[Any, ...])
"""A neuron's own state type: a NamedTuple of tensors (B, *shape), or of such tuples where one neuron wraps another.

`Neuron.initial` creates the state, and the machine passes it from step to step and from window to window without
reading any field. A neuron with memory calls its membrane after the reset `membrane`, because the contract suite
changes that field by a small amount to test the gates."""


class MembraneState(NamedTuple):
    """The state of every neuron that has `dynamics`. The fused scans start from this state and return it.

    Args:
        membrane: the membrane after the reset, (B, *shape).
    """

    membrane: Tensor


class NoState(NamedTuple):
    """The state of a neuron without memory."""


class Observed(NamedTuple):
    """The variables of one step that rules, losses and recorders may read.

    Args:
        v: the membrane before its reset, (B, *shape), as it is compared with the threshold.
        inner: the result of an integration inside the step, which a reverse circuit reads; only for neurons that run a
            single step.
        gates: the derivatives of the step; None for neurons that have `dynamics`, and for those without memory.
    """

    v: Tensor
    inner: Any = None
    gates: Gates | None = None


class Dynamics(NamedTuple):
    """The numbers of a leaky integrator: v[t] = beta u[t-1] + I[t], where u is the membrane after its reset.

    A neuron that returns them is run by the fused scans, has a `MembraneState` as its state, and needs no gates.

    Args:
        beta: decay per step, in [0, 1]; one number, or a tensor (*shape) with one per neuron.
        v_threshold: threshold, > 0; inf for a neuron that never spikes; one number or (*shape).
        reset: what a spike does to the membrane.
        reset_delay: whether the reset acts one step after the spike.
    """

    beta: float | Tensor
    v_threshold: float | Tensor
    reset: Reset
    reset_delay: bool

    def gates(self, before: Tensor) -> Gates:
        """Compute the gates of a step.

        Args:
            before: spikes of the previous step, (B, *shape).
        """
        through = 1 - before if self.reset == "zero" else torch.ones_like(before)
        return Gates(self.beta * through, torch.ones_like(before), None)


class Brian2Text(NamedTuple):
    """The step as Brian2 code, which reads the current `I` and the membrane `u`, and writes `v`, `S` and `u`.

    Each statement adds or subtracts one term, in the order of `Neuron.step`, so that both round in the same way.

    Args:
        step: statements in order; all variables are dimensionless.
        numbers: the neurons' constants by name, scalar or (N,).
        surrogate: psi is its derivative at v - v_threshold; None where `slope` gives psi.
        state: further variables that the statements write. If `keep` and `admit` are among them, the step has gates.
        current: the variable among `state` that is the synaptic current with decay `alpha`; None where I drives v
            directly.
        rests: whether a variable `free`, 0 or 1, says where a spike is possible.
        slope: psi as a text with {v} in place of the membrane, if `surrogate` is None; None for psi = 1.
    """

    step: tuple[str, ...]
    numbers: Mapping[str, float | np.ndarray]
    surrogate: Surrogate | None
    state: tuple[str, ...] = ()
    current: str | None = None
    rests: bool = False
    slope: str | None = None


class Neuron(Contract, Generic[State], kind="neuron", older={"keep_held": "keep_hold"}):
    """The neuron model of a population: a frozen object that holds only numbers. The state is an argument and a result.

    A file in the registry `neurons/`, or in a package with an entry point in `neurorules.neurons`, binds `ENTRY` to a
    frozen dataclass of this kind or to a function that returns one. It must define `initial`, `step`, `psi` and
    `primitive`; everything else has a default. A neuron with memory also says how small changes pass through a step, by
    `dynamics` or by the `gates` of each step. Without either, it cannot be used with rules that read `dv_dw` or carry
    signals through time.
    """

    spiking: bool
    """Whether the output is 0 or 1."""
    steps: int | None = None
    """The only possible number of time steps; None for any number. For rate neurons it is 1."""
    steadier: str = "or use a neuron that leaks faster"
    """The advice in the error message when a layer of this neuron diverges."""
    work: int = 1
    """Integration steps inside one time step; reports of cost count them."""
    pools_layer: bool = False
    """Whether a neuron's output depends on the other neurons of its population."""
    needs_whole_trial: bool = False
    """Whether texts can train this neuron only where they see all steps of a trial at once."""
    learns: tuple[str, ...] = ()
    """Names of the neuron's own parameters that a rule may change."""
    millivolts: Millivolts | None = None
    """The scale in mV, for neurons whose membrane has the shape of a spike; None for others."""

    @abstractmethod
    def initial(self, current: Tensor) -> State:
        """The state at rest, before the first step.

        Args:
            current: any current of the right shape, device and type, (B, *shape); the values are not read.
        """

    @abstractmethod
    def step(self, state: State, current: Tensor) -> tuple[Tensor, Observed, State]:
        """Compute one time step, without changing any argument in place.

        Args:
            state: the state after the previous step.
            current: the current of this step, (B, *shape), in thresholds.

        Returns:
            The output (B, *shape), which is 0 or 1 for a spiking neuron; the observed variables; the state after the
            step.
        """

    @abstractmethod
    def psi(self, v: Tensor) -> Tensor:
        """The (pseudo-)derivative of the output with respect to `Observed.v`, elementwise.

        Args:
            v: membranes before the reset, (..., *shape).
        """

    @abstractmethod
    def primitive(self, v: Tensor) -> Tensor:
        """A graded output whose derivative with respect to v is `psi`; losses "before the spike" read it.

        Args:
            v: membranes before the reset, (..., *shape).
        """

    def many_steps(self, state: State, currents: Tensor) -> tuple[Tensor, Observed, State] | None:
        """Compute several steps at once, for a neuron without `dynamics` that has a faster way to do so.

        Args:
            state: the state after the previous step.
            currents: the currents of the steps, (T, B, *shape).

        Returns:
            What `step` returns for each step, and the state after the last one; None (the default) where there is no
            faster way.
        """
        return None

    def dynamics(self) -> Dynamics | None:
        """The numbers of the leaky integrator that the neuron is; None where only `step` describes it."""
        return None

    def reversed_in_time(self, post: Tensor, spikes: Tensor) -> Tensor | None:
        """Carry a post factor at v back through the steps to the current, for neurons without dynamics and gates.

        Args:
            post: derivative of some quantity with respect to `Observed.v` of every step, (T, B, *shape).
            spikes: the spikes of the same steps, (T, B, *shape).

        Returns:
            The derivative with respect to the current of every step, resets held fixed; None for neurons with dynamics
            or gates.
        """
        return None

    @property
    def scale(self) -> float | Tensor:
        """The unit in which changes of the membrane are measured: the threshold, or 1 for a neuron without one."""
        return 1.0

    @property
    def current_decay(self) -> float | Tensor:
        """The decay alpha of a synaptic current per step, y[t] = alpha y[t-1] + I[t]; 0 where I drives v directly."""
        return 0.0

    @property
    def adaptation(self) -> Adaptation | None:
        """The effect of a spike on the neuron's own threshold in later steps, which BPTT includes; None for a threshold
        that does not adapt.
        """
        return None

    def crossing(self) -> Crossing:
        """The numbers of the membrane that crosses the threshold, for signals that take derivatives by spike times.

        Raises:
            UserError: the spikes of the neuron have no such derivative; this is the default.
        """
        raise no_spike_times(f"nothing says how a spike of {type(self).__name__} moves in time with its current")

    def decays(self) -> tuple[float, ...] | None:
        """The decays of the successive low-pass filters from the current to v, which let eligibilities be computed
        forward as traces; None where spikes gate the filters.
        """
        return None

    def in_population(self, shape: tuple[int, ...]) -> Neuron[Any]:
        """The neuron in a population, for options that give each neuron a number of its own; `self` by default.

        Networks ask for it when they are built, before anything else.

        Args:
            shape: the shape of the population.
        """
        return self

    def parameters(self, shape: tuple[int, ...]) -> dict[str, Tensor]:
        """The initial values of the neuron's own parameters (see `learns`), by name.

        Args:
            shape: the shape of the population.
        """
        return {}

    def with_parameters(self, own: Mapping[str, Tensor]) -> Neuron[Any]:
        """The neuron with these values of its own parameters; `self` for a neuron without any.

        Args:
            own: the values, by the names in `learns`.
        """
        return self

    def own_factors(self, own: Mapping[str, Tensor], v: Tensor, spikes: Tensor) -> dict[str, OwnFactor]:
        """The derivatives for those of the neuron's own parameters that learn from the layer's post factor; none by
        default.

        Args:
            own: the values, by the names in `learns`.
            v: membranes before the reset, (T, B, *shape).
            spikes: the spikes of the same steps, (T, B, *shape).

        Returns:
            By parameter name; parameters that a learning signal trains are left out.
        """
        return {}

    def brian2(self) -> Brian2Text:
        """Return this step as text for Brian2.

        Raises:
            UserError: the neuron has no such text; it then runs in torch alone.
        """
        raise no_brian2_text(type(self).__name__)

    def to(self, device: torch.device, dtype: torch.dtype) -> Neuron[Any]:
        """Return this neuron with its tensors on a device; `self` where all its numbers are plain.

        Args:
            device: where its populations run.
            dtype: the type of their currents.

        Returns:
            A neuron with the same options.
        """
        return self
