"""`Chip`: one device, or a chain of several, together with its state. Trials and learners call the device through it.

A device need not have the optional hooks of `contracts.device_hooks`. `Chip` looks which of them it has, calls those of
a chain in order, and leaves everything unchanged where a hook is missing.
"""

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
    """One device with its state at one time. A hook that the device lacks changes nothing.

    Args:
        device: the hardware model, or several in a chain.
        state: the state of the device; it is not modified.
    """

    device: Device
    state: State

    @property
    def parts(self) -> tuple[tuple[Device, State], ...]:
        """Each device of a chain with its own state, in the order in which they act."""
        if isinstance(self.device, DeviceChain):
            return tuple((device, own_state(self.state, i)) for i, device in enumerate(self.device.devices))
        return ((self.device, self.state),)

    @property
    def observes(self) -> bool:
        """Whether rules, signals and scores read membranes that differ from the true ones."""
        return any(isinstance(device, Observing) for device, _ in self.parts)

    def observed(self, place: Place, v: Tensor) -> Tensor:
        """The membranes as the chip reads them out.

        Args:
            place: the phase, the layer and the first step of these membranes.
            v: true membranes, (T, B, *shape).

        Returns:
            The membranes as rules read them, of the same shape.
        """
        for device, state in self.parts:
            if isinstance(device, Observing):
                v = device.on_observe(state, place, v)
        return v

    def neuron(self, layer: str, neuron: Neuron[Any]) -> Neuron[Any]:
        """The neuron of a layer as the chip runs it.

        Args:
            layer: the name of the layer.
            neuron: the neuron that the network was built with.

        Returns:
            The chip's own neuron; the same `neuron` for a chip that has none.
        """
        for device, state in self.parts:
            if isinstance(device, OwnNeurons):
                neuron = device.on_neuron(state, layer, neuron)
        return neuron

    @property
    def traces(self) -> bool:
        """Whether the chip computes declared traces by a step of its own."""
        return any(isinstance(device, Tracing) for device, _ in self.parts)

    def traced(self, place: Place, trace: Trace, key: str, increment: Tensor, start: Tensor | None) -> Tensor:
        """Compute a declared trace by the chip's own trace step.

        Args:
            place: the phase, the first step, and the layer whose texts read the trace.
            trace: the trace as the rule declares it.
            key: distinguishes the trace from the other traces of the layer.
            increment: what each step adds to the trace, (T, B, *shape).
            start: the value before the first step, (B, *shape); 0 if None.

        Returns:
            The value after each step, (T, B, *shape).

        Raises:
            LookupError: the chip has no trace step of its own.
        """
        for device, state in self.parts:
            if isinstance(device, Tracing):
                start = torch.zeros_like(increment[0]) if start is None else start
                return device.on_trace(state, place, trace, key, increment, start)
        raise LookupError("the chip has no trace step of its own")

    def after(self, steps: int) -> State:
        """The state of the chip after some time has passed.

        Args:
            steps: number of time steps that pass.

        Returns:
            The new state; the same state for a chip that does not change by itself.
        """
        state = self.state
        for position, (device, own) in enumerate(self.parts):
            if isinstance(device, InTime):
                moved = device.on_time(own, steps)
                state = merged(state, position, moved) if isinstance(self.device, DeviceChain) else moved
        return state

    def misfits(self, rule: Rule) -> tuple[Misfit, ...]:
        """The terms of a rule that the chip's learning engine cannot express, so that they are computed off the chip.

        Args:
            rule: the rule, before any device has changed it.

        Returns:
            One `Misfit` for each term; empty for a rule that fits, and for devices without a learning engine.
        """
        engines = [device for device, _ in self.parts if isinstance(device, FitsRules)]
        return tuple(misfit for device in engines for misfit in device.misfits(rule))

    def check_rule(self, rule: Rule) -> None:
        """Refuse a rule that one of the devices cannot learn with.

        Args:
            rule: the rule, before any device has changed it.

        Raises:
            UserError: a device cannot run the rule; the message says what prevents it.
        """
        lasting = [trace.name for trace in rule.traces if trace.across_trials]
        if rule.transmits is not None:
            raise UserError(
                f"synapses of rule '{rule.name}' transmit '{rule.transmits}', and a device's transmit what it stores. "
                f"Use --hardware none"
            )
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
