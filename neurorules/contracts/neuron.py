"""The contract of a neuron: one pure step, a state type of its own, and what rules, losses and Brian2 read of it.

B is the number of batch rows and *shape the population's own shape. Currents, membranes and spikes are (B, *shape).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.membrane_unit import Millivolts
from neurorules.contracts.no_text import no_brian2_text
from neurorules.contracts.own_effects import Adaptation, OwnFactor
from neurorules.contracts.surrogate import Surrogate

Reset = Literal["subtract", "zero", "none"]
"""What a spike does to the membrane: it takes the threshold away, sets the membrane to 0, or does nothing."""

State = TypeVar("State", bound=tuple[Any, ...])
"""A neuron's own state type: a NamedTuple of tensors (B, *shape), or of such tuples where one neuron wraps another.

The machine starts it with `Neuron.initial` and hands it from step to step and from window to window; it reads no field.
A neuron with a memory names its membrane after the reset `membrane`: there the suite of neurons moves it a little.
"""


class MembraneState(NamedTuple):
    """The state of every neuron that has `dynamics`: the fused scans start from it and end in it.

    Args:
        membrane: the membrane after the reset, (B, *shape).
    """

    membrane: Tensor


class NoState(NamedTuple):
    """The state of a neuron that keeps nothing from one step to the next."""


class Gates(NamedTuple):
    """The derivatives of one step, by which small changes are passed on; exact eligibilities and the adjoint of BPTT
    are made of it.

    The spikes of this step and of the steps before are held fixed, so a reset by subtraction passes changes on and a
    reset to a fixed value does not: `keep` is then 0 in the step after a spike. Whatever else is in the state
    (adaptation, recovery, refractory steps) is held fixed too; a synaptic current is described by
    `Neuron.current_decay`, a threshold that rises with spikes by `Neuron.adaptation`.

    Args:
        keep: derivative of `Observed.v` by `Observed.v` of the step before, (B, *shape).
        admit: derivative of `Observed.v` by the current that drives it in this step, (B, *shape).
        fires: 1 where v alone decides whether a spike comes, 0 where none comes whatever v is, (B, *shape); psi is
            multiplied by it. None for 1 everywhere.
    """

    keep: Tensor
    admit: Tensor
    fires: Tensor | None


class Observed(NamedTuple):
    """The variables of one step that rules, losses and recorders may read.

    Args:
        v: the membrane before its reset, (B, *shape), as the threshold of a spike sees it.
        inner: what an integration inside the step leaves to a reverse circuit, for neurons that run one step only.
        gates: how the step passes changes on; None for neurons that have `dynamics`, and for those without memory.
    """

    v: Tensor
    inner: Any = None
    gates: Gates | None = None


class Dynamics(NamedTuple):
    """A leaky integrator in numbers: v[t] = beta u[t-1] + I[t], with u the membrane after its reset.

    A neuron that has them is run by the fused scans, its state is a `MembraneState`, and it needs no gates.

    Args:
        beta: decay per step, in [0, 1]; one number, or a tensor (*shape) with one per neuron.
        v_threshold: threshold, > 0, inf for a neuron that never spikes; one number or (*shape).
        reset: what a spike does to the membrane.
        reset_delay: whether the reset acts one step after the spike.
    """

    beta: float | Tensor
    v_threshold: float | Tensor
    reset: Reset
    reset_delay: bool

    def gates(self, before: Tensor) -> Gates:
        """The gates of a step.

        Args:
            before: spikes of the step before, (B, *shape).
        """
        through = 1 - before if self.reset == "zero" else torch.ones_like(before)
        return Gates(self.beta * through, torch.ones_like(before), None)


class Brian2Text(NamedTuple):
    """The step as Brian2 code: it reads the current `I` and the membrane `u`, and writes `v`, `S` and `u`.

    A statement adds or takes away one term, in the order of `Neuron.step`, so that both round alike.

    Args:
        step: statements in order; all variables are dimensionless.
        numbers: the neurons' constants by name, scalar or (N,).
        surrogate: psi is its slope at v - v_threshold; None where `slope` gives psi.
        state: further variables that the statements write. With `keep` and `admit` among them it has gates.
        current: the variable among them that is the synaptic current of decay `alpha`; None where I drives v itself.
        rests: whether the variable `free`, 0 or 1, says where a spike can come.
        slope: psi as text with {v} for the membrane, where `surrogate` is None; None for psi = 1.
    """

    step: tuple[str, ...]
    numbers: Mapping[str, float | np.ndarray]
    surrogate: Surrogate | None
    state: tuple[str, ...] = ()
    current: str | None = None
    rests: bool = False
    slope: str | None = None


class Neuron(ABC, Generic[State]):
    """A population's neurons, frozen: numbers only. The state is handed in and handed back.

    A file of the registry `neurons/`, or of a package under the entry point `neurorules.neurons`, names a frozen
    dataclass of this kind, or a function that returns one, as `ENTRY`. It must offer `initial`, `step`, `psi` and
    `primitive`; all else has a default. A neuron with a memory also says how changes pass through a step, by
    `dynamics` or by the `gates` of each step; without either, rules that read `dv_dw` or carry signals through
    time refuse it.
    """

    spiking: bool
    """Whether its output is 0 or 1."""
    steps: int | None = None
    """The only number of time steps that it can run; None for any number. Rate neurons run 1."""
    steadier: str = "or use a neuron that leaks faster"
    """What a message proposes where a layer of it diverges."""
    work: int = 1
    """Steps of an integration inside one time step, which reports of cost count."""
    pools_layer: bool = False
    """Whether a neuron's output depends on the other neurons of its population."""
    needs_whole_trial: bool = False
    """Whether texts can teach it only where they see every step of a trial at once."""
    learns: tuple[str, ...] = ()
    """Names of its own parameters that a rule may change."""
    millivolts: Millivolts | None = None
    """What its scale means in mV, where its membrane has the shape of a spike; None for others."""

    @abstractmethod
    def initial(self, current: Tensor) -> State:
        """The state at rest, before the first step.

        Args:
            current: any current of the right shape, device and type, (B, *shape); its values are not read.
        """

    @abstractmethod
    def step(self, state: State, current: Tensor) -> tuple[Tensor, Observed, State]:
        """One time step, pure: no argument is changed in place.

        Args:
            state: the state after the step before.
            current: what drives the neurons in this step, (B, *shape), in thresholds.

        Returns:
            The output (B, *shape), which is 0 or 1 for a spiking neuron; what may be observed; the state after.
        """

    @abstractmethod
    def psi(self, v: Tensor) -> Tensor:
        """The (pseudo-)derivative of the output by `Observed.v`, elementwise.

        Args:
            v: membranes before the reset, (..., *shape).
        """

    @abstractmethod
    def primitive(self, v: Tensor) -> Tensor:
        """A graded output whose derivative by v is `psi`; losses "before the spike" read it.

        Args:
            v: membranes before the reset, (..., *shape).
        """

    def many_steps(self, state: State, currents: Tensor) -> tuple[Tensor, Observed, State] | None:
        """Several steps at once, for a neuron without `dynamics` that has a faster way; None by default.

        Args:
            state, currents: after the step before, and of the steps, (T, B, *shape).

        Returns:
            What `step` gives in each of them, and the state after the last.
        """
        return None

    def dynamics(self) -> Dynamics | None:
        """The leaky integrator that it is, or None where `step` is the only description."""
        return None

    def reversed_in_time(self, post: Tensor, spikes: Tensor) -> Tensor | None:
        """A post factor at v, carried back through the steps to the current, where neither dynamics nor gates do it.

        Args:
            post: derivative of something by `Observed.v` of every step, (T, B, *shape).
            spikes: of the same steps, (T, B, *shape).

        Returns:
            Its derivative by the current of every step, resets held fixed; None for neurons with dynamics or gates.
        """
        return None

    @property
    def scale(self) -> float | Tensor:
        """The unit in which changes of its membrane are measured: its threshold, or 1 where it has none."""
        return 1.0

    @property
    def current_decay(self) -> float | Tensor:
        """The decay alpha of a synaptic current per step, y[t] = alpha y[t-1] + I[t]; 0 where I drives v itself."""
        return 0.0

    @property
    def adaptation(self) -> Adaptation | None:
        """The effect of a spike on the neuron's own threshold in later steps, through which the gradient of BPTT goes;
        None where it has none.
        """
        return None

    def decays(self) -> tuple[float, ...] | None:
        """The decays of the low-pass filters in a row that lead from the current to v, so that eligibilities step by
        step are traces; None where spikes gate them.
        """
        return None

    def parameters(self, shape: tuple[int, ...]) -> dict[str, Tensor]:
        """The initial values of its own parameters (see `learns`), by name.

        Args:
            shape: the population's shape.
        """
        return {}

    def with_parameters(self, own: Mapping[str, Tensor]) -> Neuron[Any]:
        """The neuron that runs with these values of its own parameters; itself where it has none.

        Args:
            own: the values by the names of `learns`.
        """
        return self

    def own_factors(self, own: Mapping[str, Tensor], v: Tensor, spikes: Tensor) -> dict[str, OwnFactor]:
        """The actions of those of its own parameters that the post factor of the layer's weights teaches; none by
        default.

        Args:
            own: the values by the names of `learns`.
            v: membranes before the reset, (T, B, *shape).
            spikes: of the same steps, (T, B, *shape).

        Returns:
            By name; a parameter that a signal teaches is left out.
        """
        return {}

    def brian2(self) -> Brian2Text:
        """Give this step as text for Brian2.

        Raises:
            UserError: the neuron has no such text; it then runs in torch alone.
        """
        raise no_brian2_text(type(self).__name__)

    def to(self, device: torch.device, dtype: torch.dtype) -> Neuron[Any]:
        """Give this neuron with its tensors on a device; the neuron itself where all its numbers are plain.

        Args:
            device: where its populations run.
            dtype: the type of their currents.

        Returns:
            A neuron with the same options.
        """
        return self
