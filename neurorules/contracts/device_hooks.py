"""The optional hooks of a device, beside the four of `Device`: one protocol for each further property of a chip.

A device offers a hook by having its method; nothing needs to be declared. `contracts.chip` calls the hooks, and
`DeviceChain` says what several devices do together. All hooks are pure functions: they return a new state and never
change one.

Noise that differs between trials is drawn from the state, which `on_time` advances, and from the place of the
observation (phase, layer, step). Therefore the same state gives the same bits, a resumed run ends with the same bits,
and windows of any length see the same noise.
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
    """The place and the time of an observation.

    Args:
        phase: the phase of the trial, such as "input".
        layer: the name of the layer, such as "hidden1".
        first: the first of the observed steps, >= 0.
    """

    phase: str
    layer: str
    first: int


class Codes(NamedTuple):
    """Weights in the number format of the device.

    Args:
        codes: integers in the shape of the weights, int64.
        step: the weight that a code of 1 stands for, > 0.
        lowest, highest: smallest and largest code of the format.
    """

    codes: Tensor
    step: float
    lowest: int
    highest: int


@runtime_checkable
class Observing(Protocol):
    """A device that lets rules, signals and scores read changed membranes; spikes still come from the true
    membranes."""

    def on_observe(self, state: State, place: Place, v: Tensor) -> Tensor:
        """The membranes as the chip shows them.

        Args:
            state: the state of the chip.
            place: the phase, the layer and the first step of these membranes.
            v: membranes before the reset, (T, B, *shape), in thresholds.

        Returns:
            The membranes as they are read, of the same shape and type.
        """
        ...


@runtime_checkable
class Tracing(Protocol):
    """A device that computes traces by a step of its own, such as one in integer arithmetic."""

    def on_trace(self, state: State, place: Place, trace: Trace, key: str, increment: Tensor, start: Tensor) -> Tensor:
        """Compute a declared trace over a window.

        Args:
            state: the state of the chip.
            place: the phase, the first step, and the layer whose texts read the trace.
            trace: the trace as the rule declares it, with its decay per step.
            key: distinguishes the trace from others of the layer: its name, and whether its neurons are pre- or
                postsynaptic.
            increment: what each step adds to the trace, (T, B, *shape).
            start: the value after the step before the window, (B, *shape).

        Returns:
            The value after each step, (T, B, *shape).

        Raises:
            UserError: the chip cannot compute this trace.
        """
        ...


@runtime_checkable
class InTime(Protocol):
    """A device whose state changes while time passes, as by drift, or that draws new numbers in every trial."""

    def on_time(self, state: State, steps: int) -> State:
        """Advance the chip's state by some time.

        Args:
            state: the state of the chip.
            steps: time steps that pass, >= 1. The samples of a trial count one after the other: B T for B samples of T
                steps.

        Returns:
            The state afterwards.
        """
        ...


@runtime_checkable
class Clocked(Protocol):
    """A device that drifts and knows how long a time step lasts, so that it can be left idle for some seconds."""

    step_s: float
    """Duration of a sample's time step in seconds, >= 0; 0 where no time passes between steps."""


@runtime_checkable
class OwnNeurons(Protocol):
    """A device that has neurons of its own, such as neurons in integer arithmetic."""

    def on_neuron(self, state: State, layer: str, neuron: Neuron[Any]) -> Neuron[Any]:
        """The neuron of a layer as the chip runs it.

        Args:
            state: the state of the chip, after its weights have been programmed.
            layer: the name of the layer, such as "hidden1".
            neuron: the neuron that the network was built with.

        Returns:
            The neuron that replaces it. Its currents and its membranes are in the same units.

        Raises:
            UserError: the chip does not have such a neuron.
        """
        ...


@runtime_checkable
class OwnFormat(Protocol):
    """A device that stores weights as integers and can return these integers."""

    def codes(self, state: State, name: str, w: Tensor) -> Codes:
        """Convert stored weights to the device's format.

        Args:
            state: the state of the chip.
            name: the name of the parameter, such as "hidden1.ff.w".
            w: the weights as the chip stores them.

        Returns:
            The codes and the weight that a code of 1 stands for.
        """
        ...


@runtime_checkable
class Choosy(Protocol):
    """A device on which only some rules can learn."""

    def check_rule(self, rule: Rule) -> None:
        """Refuse a rule that cannot learn on the chip.

        Args:
            rule: the rule, before any device has changed it.

        Raises:
            UserError: the message says which term of which text does not fit, and what would fit.
        """
        ...


class Misfit(NamedTuple):
    """A term of a rule that a device's own learning engine cannot compute.

    Args:
        role: which layers the text belongs to, "hidden" or "readout".
        phase: the phase in which the text holds.
        term: the term as it is written in the text.
        why: the reason why it does not fit.
        nearest: the most similar text that fits; None where nothing of the term would be left.
    """

    role: str
    phase: str
    term: str
    why: str
    nearest: str | None


@runtime_checkable
class FitsRules(Protocol):
    """A device with a learning engine of its own, which can say which terms of a rule fit into the engine."""

    def misfits(self, rule: Rule) -> tuple[Misfit, ...]:
        """List the terms of a rule's texts that do not fit into the engine.

        Args:
            rule: the rule, before any device has changed it.

        Returns:
            One `Misfit` for each term; empty for a rule that fits.
        """
        ...


@runtime_checkable
class Idealised(Protocol):
    """A device whose effects can all be switched off by options, so that a test can check the ideal case."""

    ideal: str
    """The options of the ideal case, such as "bits=16:cv=0". With them, whatever is stored, changed, read or observed
    equals the request, up to a thousandth of its largest value."""


@runtime_checkable
class Constrained(Protocol):
    """A device whose constraints can be removed one at a time by options, so that `deploy` can say what each one
    costs."""

    constraints: Mapping[str, str]
    """The option that removes a constraint, such as "cv=0", by a phrase such as "mismatch of synapses"."""


HOOKS: dict[str, type] = {
    "on_observe": Observing, "on_trace": Tracing, "on_time": InTime, "on_neuron": OwnNeurons, "codes": OwnFormat,
    "check_rule": Choosy,
}  # fmt: skip
"""The optional hooks by name."""
ALONE = {"on_neuron": "neurons of its own", "on_trace": "a trace step of its own"}
"""Hooks that only one device of a chain may have, each with a phrase for error messages."""
