"""A device and its state, as a trial asks it: what of the device's optional hooks there is, in the order of a chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.device import Device
from neurorules.contracts.device_chain import DeviceChain, merged, own_state
from neurorules.contracts.device_hooks import (
    Choosy,
    FitsRules,
    InTime,
    Misfit,
    Observing,
    OwnNeurons,
    Place,
    State,
    Tracing,
)
from neurorules.contracts.neuron import Neuron
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import Rule


@dataclass(frozen=True)
class Chip:
    """One chip at one time. Hooks that the device lacks leave everything as it is.

    Args:
        device: the model, or several in a chain.
        state: of the chip; not modified.
    """

    device: Device
    state: State

    @property
    def parts(self) -> tuple[tuple[Device, State], ...]:
        """Each device of a chain with the state of its own, in the order in which they act."""
        if isinstance(self.device, DeviceChain):
            return tuple((device, own_state(self.state, i)) for i, device in enumerate(self.device.devices))
        return ((self.device, self.state),)

    @property
    def observes(self) -> bool:
        """Whether rules see other membranes than there are."""
        return any(isinstance(device, Observing) for device, _ in self.parts)

    def observed(self, place: Place, v: Tensor) -> Tensor:
        """The membranes as rules see them.

        Args:
            place: whose they are, and from which step on.
            v: as they are, (T, B, *shape).

        Returns:
            What is read of them, of the same shape.
        """
        for device, state in self.parts:
            if isinstance(device, Observing):
                v = device.on_observe(state, place, v)
        return v

    def neuron(self, layer: str, neuron: Neuron[Any]) -> Neuron[Any]:
        """The neuron of a layer as the chip runs it.

        Args:
            layer: its name.
            neuron: as the network has it.

        Returns:
            The chip's own neuron; the same one where it has none.
        """
        for device, state in self.parts:
            if isinstance(device, OwnNeurons):
                neuron = device.on_neuron(state, layer, neuron)
        return neuron

    @property
    def traces(self) -> bool:
        """Whether the chip has a trace step of its own."""
        return any(isinstance(device, Tracing) for device, _ in self.parts)

    def traced(self, place: Place, trace: Trace, key: str, brought: Tensor, start: Tensor | None) -> Tensor:
        """A declared trace by the chip's own trace step.

        Args:
            place: of the layer whose texts read it.
            trace: as the rule declares it.
            key: what tells it from the layer's others.
            brought: what each step brings, (T, B, *shape).
            start: its value before the first step, (B, *shape); 0 if None.

        Returns:
            Its value after each step, (T, B, *shape).

        Raises:
            LookupError: the chip has no trace step of its own.
        """
        for device, state in self.parts:
            if isinstance(device, Tracing):
                start = torch.zeros_like(brought[0]) if start is None else start
                return device.on_trace(state, place, trace, key, brought, start)
        raise LookupError("the chip has no trace step of its own")

    def after(self, steps: int) -> State:
        """The state of the chip after some time.

        Args:
            steps: that pass.

        Returns:
            The new state; the same one for a chip that does not change by itself.
        """
        state = self.state
        for position, (device, own) in enumerate(self.parts):
            if isinstance(device, InTime):
                moved = device.on_time(own, steps)
                state = merged(state, position, moved) if isinstance(self.device, DeviceChain) else moved
        return state

    def misfits(self, rule: Rule) -> tuple[Misfit, ...]:
        """The terms of a rule that no learning engine of the chip can say, so that they are computed beside it.

        Args:
            rule: as a user names it.

        Returns:
            A line for each term; empty for a rule that fits, and for devices without an engine of their own.
        """
        engines = [device for device, _ in self.parts if isinstance(device, FitsRules)]
        return tuple(misfit for device in engines for misfit in device.misfits(rule))

    def check_rule(self, rule: Rule) -> None:
        """Refuse a rule that one of the devices cannot learn by.

        Args:
            rule: as a user names it.

        Raises:
            UserError: a device that has no circuit for it; the message names what stands against it.
        """
        lasting = [trace.name for trace in rule.traces if trace.across_trials]
        anew = [trace.name for trace in rule.traces if trace.spikes == "nearest"]
        if anew and self.traces:
            raise UserError(
                f"rule '{rule.name}' has a trace '{anew[0]}' that each spike sets anew, and the device keeps traces by "
                f"a step of its own, which adds spikes up. Use a rule whose traces are summed, or --hardware none"
            )
        if lasting and self.traces:
            raise UserError(
                f"rule '{rule.name}' keeps its trace '{lasting[0]}' from trial to trial, and the device keeps traces "
                f"by a step of its own, from 0 in each trial. Use --hardware none"
            )
        for device, _ in self.parts:
            if isinstance(device, Choosy):
                device.check_rule(rule)
