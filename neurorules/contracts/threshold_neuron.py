"""The contract of a neuron that spikes above a threshold and is then reset, with its step split into parts.

A wrapper such as a refractory period inserts its work between the parts. Other neurons may implement `Neuron` directly.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from torch import Tensor

from neurorules.contracts.neuron import Brian2Text, Gates, Neuron, Observed, State
from neurorules.contracts.no_text import no_brian2_text
from neurorules.contracts.surrogate import Surrogate


class Brian2Parts(NamedTuple):
    """The parts of a step as Brian2 code. `late` is 1 where an earlier spike resets the membrane in this step. Until it
    is written, `S` is still the spike of the previous step.

    Args:
        late: `late` as an expression of the state; "" for a neuron without reset.
        integrate: statements that write the membrane `mem` before its reset from `u`, `I` and `late`.
        hold: `mem` in a step in which the membrane waits, as an expression of `u` and `late`, in parentheses.
        v: the value that is compared with the threshold, as an expression of `mem`.
        settle: statements that write `u` after the reset from `mem`, `S` and `late`.
        keep, admit: the gates of a free step, as products.
        keep_hold: `keep` of a step in which the membrane waits, as a factor to append: "" for 1, or "*(1 - S)".
        numbers, state, current: as in `Brian2Text`; `state` without `keep` and `admit`.
    """

    late: str
    integrate: tuple[str, ...]
    hold: str
    v: str
    settle: tuple[str, ...]
    keep: str
    admit: str
    keep_hold: str
    numbers: Mapping[str, float | np.ndarray]
    state: tuple[str, ...] = ()
    current: str | None = None


class SpikingAbove(Neuron[State]):
    """A neuron that spikes in each step in which its membrane is above a threshold."""

    spiking = True
    v_threshold: float | Tensor
    """The threshold that v is compared with, > 0; one number, or (*shape)."""
    surrogate: Surrogate
    """psi and its primitive, as functions of v - v_threshold."""

    def spikes(self, v: Tensor) -> Tensor:
        """1 where v is above the threshold, else 0; (B, *shape)."""
        return ((v - self.v_threshold) > 0).to(v.dtype)

    @property
    def scale(self) -> float | Tensor:
        """The unit in which changes of the membrane are measured: the threshold."""
        return self.v_threshold

    def psi(self, v: Tensor) -> Tensor:
        return self.surrogate.psi(v - self.v_threshold)

    def primitive(self, v: Tensor) -> Tensor:
        return self.surrogate.primitive(v - self.v_threshold)


class ThresholdNeuron(SpikingAbove[State]):
    """v = integrate(state, I); S = 1 where v > v_threshold; state after = settle(v, S).

    `late` is 1 where a spike of an earlier step resets the membrane in this one: because resets are delayed, or because
    a reset by subtraction left the membrane above its threshold.
    """

    reset_delay: bool
    """Whether a reset acts one step after its spike."""

    @abstractmethod
    def late(self, state: State) -> Tensor:
        """1 where an earlier spike resets the membrane in this step, else 0; (B, *shape)."""

    @abstractmethod
    def integrate(self, state: State, current: Tensor, late: Tensor) -> State:
        """The state with its membrane before this step's reset; all other variables are those after the step.

        Args:
            state: the state after the previous step.
            current: the current that drives the neurons, (B, *shape).
            late: resets by earlier spikes that take effect in this step, (B, *shape).

        Returns:
            A state of the same type.
        """

    @abstractmethod
    def hold(self, state: State, moved: State, late: Tensor) -> State:
        """The state that replaces `moved` where the membrane waits: no leak and no input, only the late resets.

        Args:
            state: the state after the previous step.
            moved: the result of `integrate`; variables that continue while the membrane waits are taken from it.
            late: resets by earlier spikes that take effect in this step, (B, *shape).

        Returns:
            A state of the same type.
        """

    @abstractmethod
    def v(self, moved: State) -> Tensor:
        """The membrane before its reset as it is compared with the threshold, (B, *shape)."""

    @abstractmethod
    def settle(self, moved: State, spikes: Tensor, late: Tensor) -> State:
        """The state after the step, including the resets by this step's spikes unless resets are delayed.

        Args:
            moved: the state with its membrane before the reset.
            spikes: the spikes of this step, (B, *shape).
            late: resets that have already taken effect in this step, (B, *shape).

        Returns:
            A state of the same type.
        """

    @abstractmethod
    def gates(self, state: State, before: Tensor) -> Gates:
        """The gates of a step in which the membrane does not wait.

        Args:
            state: the state after the previous step.
            before: spikes of the previous step, (B, *shape).

        Returns:
            `keep`, `admit` and `fires`, (B, *shape) each.
        """

    @abstractmethod
    def keep_hold(self, before: Tensor) -> Tensor:
        """The gate `keep` of a step in which the membrane waits: 1, or 0 where the membrane was reset to a fixed value.

        Args:
            before: spikes of the previous step, (B, *shape).
        """

    @abstractmethod
    def before(self, state: State) -> Tensor | None:
        """Spikes of the previous step, (B, *shape); None for a neuron with `dynamics`, whose state does not hold
        them."""

    def step(self, state: State, current: Tensor) -> tuple[Tensor, Observed, State]:
        late = self.late(state)
        moved = self.integrate(state, current, late)
        v, before = self.v(moved), self.before(state)
        spikes = self.spikes(v)
        gates = None if before is None else self.gates(state, before)
        return spikes, Observed(v, gates=gates), self.settle(moved, spikes, late)

    def brian2_parts(self) -> Brian2Parts:
        """The parts of the step as text for Brian2.

        Raises:
            UserError: the neuron has no such text; it then runs in torch alone.
        """
        raise no_brian2_text(type(self).__name__)

    def brian2(self) -> Brian2Text:
        parts = self.brian2_parts()
        lines = (
            *([f"late = {parts.late}"] if parts.late else []),
            f"keep = {parts.keep}",
            f"admit = {parts.admit}",
            *parts.integrate,
            f"v = {parts.v}",
            "S = int(v - v_threshold > 0)",
            *parts.settle,
        )
        state = ("keep", "admit", *parts.state)
        return Brian2Text(lines, parts.numbers, self.surrogate, state, parts.current)
