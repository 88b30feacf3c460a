"""The hooks that a device may offer beside the four of `Device`: each protocol here is one more thing that a chip can
be.

A device that has the method of a protocol offers it; nothing is declared. `contracts.chip` asks for them, and
`DeviceChain` says what several devices do together. All hooks are pure: a state is returned anew, never changed.

Noise that differs from trial to trial is drawn from the state, which `on_time` moves on, and from the place that is
observed (phase, layer, step). So equal states give equal bits, a resumed run ends with the same bits, and all windows
of a trial see the same noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from neurorules.contracts.neuron import Neuron
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import Rule

State = dict[str, Any]
"""The state of a device: tensors by name."""


class Place(NamedTuple):
    """The place and the time at which something is observed.

    Args:
        phase: of the trial, such as "input".
        layer: such as "hidden1".
        first: the first of the steps, >= 0.
    """

    phase: str
    layer: str
    first: int


class Codes(NamedTuple):
    """Weights in a device's own format.

    Args:
        codes: whole numbers of the weights' shape, int64.
        step: what one of them is worth, > 0.
        lowest, highest: the ends of their range.
    """

    codes: Tensor
    step: float
    lowest: int
    highest: int


@runtime_checkable
class Observing(Protocol):
    """A device that shows rules, signals and scores other membranes than there are; spikes come from the true ones."""

    def on_observe(self, state: State, place: Place, v: Tensor) -> Tensor:
        """The membranes as the chip shows them.

        Args:
            state: of the chip.
            place: whose they are, and from which step on.
            v: membranes before the reset, (T, B, *shape), in thresholds.

        Returns:
            What is read of them, of the same shape and type.
        """
        ...


@runtime_checkable
class Tracing(Protocol):
    """A device with a trace step of its own, such as one in whole numbers."""

    def on_trace(self, state: State, place: Place, trace: Trace, key: str, brought: Tensor, start: Tensor) -> Tensor:
        """A declared trace over a window.

        Args:
            state: of the chip.
            place: of the layer whose texts read it.
            trace: as the rule declares it, with its decay per step.
            key: what tells it from the layer's others: its name, and at which end of the synapses its neurons are.
            brought: what each step brings to it, (T, B, *shape).
            start: its value after the step before the window, (B, *shape).

        Returns:
            Its value after each step, (T, B, *shape).

        Raises:
            UserError: a trace that the chip cannot keep.
        """
        ...


@runtime_checkable
class InTime(Protocol):
    """A device that changes by itself while time passes, as by drift, or that draws anew in every trial."""

    def on_time(self, state: State, steps: int) -> State:
        """Change the chip's state by time that passes, as drift does.

        Args:
            state: of the chip.
            steps: of the samples of a trial, one after the other, >= 1: B T for B samples of T steps.

        Returns:
            The state afterwards.
        """
        ...


@runtime_checkable
class Clocked(Protocol):
    """A device that changes in time and says what a time step lasts, so that it can be left alone for seconds."""

    step_s: float
    """Seconds of a time step of a sample, >= 0; 0 where its clock stands still."""


@runtime_checkable
class OwnNeurons(Protocol):
    """A device that brings neurons of its own, such as those of integer arithmetic."""

    def on_neuron(self, state: State, layer: str, neuron: Neuron[Any]) -> Neuron[Any]:
        """The neuron of a layer as the chip runs it.

        Args:
            state: of the chip, after its weights have been programmed.
            layer: such as "hidden1".
            neuron: as the network has it.

        Returns:
            The neuron that takes its place: it is driven by currents in the same unit, and its membranes have it too.

        Raises:
            UserError: a neuron that the chip does not have.
        """
        ...


@runtime_checkable
class OwnFormat(Protocol):
    """A device that stores weights as whole numbers and can show them."""

    def codes(self, state: State, name: str, w: Tensor) -> Codes:
        """Stored weights in the device's format.

        Args:
            state: of the chip.
            name: of the parameter, such as "hidden1.ff.w".
            w: the weights as the chip stores them.

        Returns:
            The codes and what one is worth.
        """
        ...


@runtime_checkable
class Choosy(Protocol):
    """A device on which not every rule can learn."""

    def check_rule(self, rule: Rule) -> None:
        """Refuse a rule that the chip cannot learn by.

        Args:
            rule: as a user names it.

        Raises:
            UserError: says which term of which text does not fit, and what would.
        """
        ...


class Misfit(NamedTuple):
    """A term of a rule that a device's own learning engine cannot compute.

    Args:
        role: of the layers whose text it is, "hidden" or "readout".
        phase: in which the text holds.
        term: as the text writes it.
        why: it does not fit.
        nearest: the nearest text that fits; None where nothing of it is left.
    """

    role: str
    phase: str
    term: str
    why: str
    nearest: str | None


@runtime_checkable
class FitsRules(Protocol):
    """A device with a learning engine of its own, which says what fits it."""

    def misfits(self, rule: Rule) -> tuple[Misfit, ...]:
        """Name the terms of a rule's texts that do not fit the engine.

        Args:
            rule: as a user names it.

        Returns:
            A line for each term; empty for a rule that fits.
        """
        ...


@runtime_checkable
class Idealised(Protocol):
    """A device whose effects vanish with some options, so that it can be checked that they do."""

    ideal: str
    """Those options, such as "bits=16:cv=0". What is stored, changed, read and observed is then what was asked for, to
    a thousandth of the largest one."""


@runtime_checkable
class Constrained(Protocol):
    """A device whose constraints can be lifted one at a time by options, so that `deploy` can say what each costs."""

    constraints: Mapping[str, str]
    """By words, such as "mismatch of synapses", the option that lifts it, such as "cv=0"."""


HOOKS: dict[str, type] = {
    "on_observe": Observing, "on_trace": Tracing, "on_time": InTime, "on_neuron": OwnNeurons, "codes": OwnFormat,
    "check_rule": Choosy,
}  # fmt: skip
"""The optional hooks by name."""
ALONE = {"on_neuron": "neurons of its own", "on_trace": "a trace step of its own"}
"""Hooks that two devices joined by + cannot both have, and what each brings."""
