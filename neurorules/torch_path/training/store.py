"""The store of a learner's parameters, on a chip or in plain memory. Gradients change all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.device import Device
from neurorules.contracts.parameter_key import key_of
from neurorules.network.model import Model
from neurorules.network.network import Parameters
from neurorules.torch_path.update.optimiser import Earlier, Optimiser
from neurorules.torch_path.update.weight_sum import with_sum


class Before(NamedTuple):
    """The parameters and the chip of a store as they were before a change.

    Args:
        earlier: copies of the parameters.
        hardware: state of the chip.
    """

    earlier: Earlier
    hardware: dict[str, Any]


class Store:
    """Parameters that an optimiser changes in place, within bounds, and as a hardware model stores them.

    Args:
        model: the model, whose rule gives the bounds of the parameters of hidden layers.
        parameters: the parameters by name; a hardware model programs their weights at once.
        optimiser: the optimiser of these parameters.
        frozen: names of parameters that nothing changes.
        hardware: the hardware model that stores the weights; None for plain memory.
        seed: the seed of the chip.
        weight_sum: the sum of the absolute weights of each hidden neuron in a connection, at the start and after each
            update; None for any.
    """

    def __init__(
        self, model: Model, parameters: Parameters, optimiser: Optimiser, frozen: frozenset[str],
        hardware: Device | None, seed: int, weight_sum: float | None = None,
    ) -> None:  # fmt: skip
        self.parameters, self.optimiser, self.frozen = parameters, optimiser, frozen
        hidden = {layer.name for layer in model.network.hidden}
        self.bounds = model.rule.bounds
        self.bounded = frozenset(name for name in parameters if key_of(name).layer in hidden)
        self.weight_sum = weight_sum
        if weight_sum is not None:
            self._keep_in_place(self.bounded - frozen, None)
        self.hardware = hardware
        self.hardware_state: dict[str, Any] = {}
        if hardware is not None:
            shapes = {name: tuple(w.shape) for name, w in parameters.items() if key_of(name).is_weight}
            self.hardware_state = hardware.init(shapes, seed)
            for name in shapes:
                stored, self.hardware_state = hardware.on_parameters(self.hardware_state, name, parameters[name])
                parameters[name] = stored.clone()

    def read(self) -> Parameters:
        """The parameters that a trial computes with, as the hardware presents them."""
        if self.hardware is None:
            return self.parameters
        return {
            name: self.hardware.on_read(self.hardware_state, name, w) if key_of(name).is_weight else w
            for name, w in self.parameters.items()
        }

    @property
    def device(self) -> Device:
        """The hardware model that stores the weights.

        Raises:
            LookupError: they are in plain memory.
        """
        if self.hardware is None:
            raise LookupError("the weights are in plain memory, and on no hardware")
        return self.hardware

    def chip(self) -> Chip | None:
        """The hardware in its current state; None for plain memory."""
        return None if self.hardware is None else Chip(self.hardware, self.hardware_state)

    def on_hardware(self, model: Model) -> Model:
        """The model that a trial runs: with the neurons of the hardware in its current state; the model itself in plain
        memory.
        """
        return model if self.hardware is None else model.on_chip(self.chip())

    def let_time_pass(self, steps: int) -> None:
        """Let the hardware change by itself for some steps; plain memory does not."""
        chip = self.chip()
        if chip is not None:
            self.hardware_state = chip.after(steps)

    def change(self, parts: Sequence[tuple[Mapping[str, Tensor], float]], unless: Tensor | None = None) -> None:
        """Take one step of the optimiser along several gradients, all of them or none.

        Args:
            parts: gradients by parameter, and the share of the learning rates, of each set.
            unless: a truth value () on the device: if it is true, nothing changes. It needs plain memory and a single
                set of gradients.
        """
        if self.frozen:
            parts = [({n: g for n, g in part.items() if n not in self.frozen}, fraction) for part, fraction in parts]
        names = [name for gradients, _ in parts for name in gradients]
        if self.hardware is None:
            self._change(parts, names, unless)
            return
        before = self.copy(names)
        try:
            self._change(parts, names)
            self._keep_as_hardware_does(self.hardware, before.earlier.parameters)
        except BaseException:
            self.put_back(before)
            raise

    def _change(
        self, parts: Sequence[tuple[Mapping[str, Tensor], float]], names: Iterable[str], unless: Tensor | None = None
    ) -> None:
        if len(parts) == 1:
            self.optimiser.step(*parts[0], unless)
        else:
            self.optimiser.step_together(parts)
        self._keep_in_place(self.bounded.intersection(names), unless)

    @torch.no_grad()
    def _keep_in_place(self, names: Iterable[str], unless: Tensor | None) -> None:
        """Scale weights to their sum, then clip parameters to the bounds of the rule."""
        for name in names:
            own = self.parameters[name]
            if self.weight_sum is not None and key_of(name).is_weight:
                scaled = with_sum(own, self.weight_sum)
                own.copy_(scaled if unless is None else torch.where(unless, own, scaled))
            if self.bounds is not None:
                own.clamp_(*self.bounds)

    def _keep_as_hardware_does(self, hardware: Device, before: Mapping[str, Tensor]) -> None:
        for name, old in before.items():
            if key_of(name).is_weight:
                change = self.parameters[name] - old
                stored, self.hardware_state = hardware.on_update(self.hardware_state, name, old, change)
                self.parameters[name].copy_(stored)

    def copy(self, names: Iterable[str]) -> Before:
        """Copy the parameters of these names, and the optimiser's buffers."""
        return Before(self.optimiser.copy(names), self.hardware_state)

    def put_back(self, before: Before) -> None:
        """Undo all changes of the copied parameters and of the chip since `copy`."""
        self.optimiser.put_back(before.earlier)
        self.hardware_state = before.hardware

    def state(self) -> dict[str, Tensor]:
        """Copies of the optimiser's buffers, "optimiser/<parameter>/<quantity>", and of the chip's state,
        "hardware/...".
        """
        tensors = {f"optimiser/{name}": value.clone() for name, value in self.optimiser.state().items()}
        return tensors | {f"hardware/{name}": value.clone() for name, value in self.hardware_state.items()}

    def load(self, parameters: Mapping[str, Tensor], state: Mapping[str, Tensor], weights_only: bool) -> None:
        """Load parameters and a result of `state`, in place.

        Args:
            parameters: by name.
            state: the tensors by the names of `state`.
            weights_only: whether the optimiser keeps its own buffers.
        """
        for name, value in parameters.items():
            self.parameters[name].copy_(value)
            device = value.device
        self.hardware_state = {
            name.removeprefix("hardware/"): value.to(device, copy=True)
            for name, value in state.items()
            if name.startswith("hardware/")
        }
        if not weights_only:
            own = {k.removeprefix("optimiser/"): v for k, v in state.items() if k.startswith("optimiser/")}
            self.optimiser.load(own)
