"""The cost of each constraint of a device: accuracy when one of them is lifted, and all others stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.device import DEVICES, Device
from neurorules.contracts.device_hooks import Constrained, Place, State
from neurorules.contracts.neuron import Neuron
from neurorules.language.options import parse_named, write_named
from neurorules.torch_path.training.learner import Learner


class Constraint(NamedTuple):
    """One constraint, and how a network does without it.

    Args:
        constraint: in words, such as "weights of hidden1.ff.w".
        lifted: by which option it is lifted; None where no option lifts it, and the part computes at full precision.
        accuracy: without it, in 0..1.
        cost: that accuracy less the one on the whole device; below 0 where the network does better with it.
    """

    constraint: str
    lifted: str | None
    accuracy: float
    cost: float


@dataclass(frozen=True)
class Spared:
    """A programmed device of which some parts are those of the network instead.

    Args:
        device: the whole device.
        weights: those that are read at full precision, by name.
        neurons: names of the layers whose neurons stay the network's.
        observing: whether membranes are seen as they are.
    """

    device: Device
    weights: dict[str, Tensor] = field(default_factory=dict)
    neurons: frozenset[str] = frozenset()
    observing: bool = False

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> State:
        """Draw the state of the whole device, as if no part were spared.

        Args:
            shapes: shape of each connection's weights, by parameter name.
            seed: the seed of the run.

        Returns:
            Its state.
        """
        return self.device.init(shapes, seed)

    def on_parameters(self, state: State, name: str, w: Tensor) -> tuple[Tensor, State]:
        """Program the weights as the whole device does, spared parts included.

        Args:
            state: the state of the chip.
            name: the name of the parameter.
            w: weights at full precision.

        Returns:
            What the device stores, and its state.
        """
        return self.device.on_parameters(state, name, w)

    def on_read(self, state: State, name: str, w: Tensor) -> Tensor:
        """Read weights as the device shows them, spared ones at full precision.

        Args:
            state: the state of the chip.
            name: the name of the parameter.
            w: stored weights.

        Returns:
            What the network computes with.
        """
        return self.weights[name] if name in self.weights else self.device.on_read(state, name, w)

    def on_update(self, state: State, name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, State]:
        """Change weights as the whole device does.

        Args:
            state: the state of the chip.
            name: the name of the parameter.
            w: stored weights.
            dw: the change that is asked for.

        Returns:
            What the device stores, and its state.
        """
        return self.device.on_update(state, name, w, dw)

    def on_neuron(self, state: State, layer: str, neuron: Neuron[Any]) -> Neuron[Any]:
        """Give a layer the device's neurons, a spared one the network's own.

        Args:
            state: the state of the chip.
            layer: its name.
            neuron: as the network has it.

        Returns:
            The neuron.
        """
        return neuron if layer in self.neurons else Chip(self.device, state).neuron(layer, neuron)

    def on_observe(self, state: State, place: Place, v: Tensor) -> Tensor:
        """Show membranes as the device does, or as they are.

        Args:
            state: the state of the chip.
            place: whose they are.
            v: membranes, (T, B, *shape).

        Returns:
            What is seen of them.
        """
        return v if self.observing else Chip(self.device, state).observed(place, v)


def costs_of(
    deployed: Learner, exact: dict[str, Tensor], hardware: str | None, with_all: float,
    accuracy_of: Callable[[Learner], float], programmed: Callable[[str], Learner],
) -> list[Constraint]:  # fmt: skip
    """Measure what each constraint costs, and sort the dearest first.

    Args:
        deployed: on the device; it stays as it is.
        exact: the weights that were programmed, by name.
        hardware: the device models, joined by +, whose options lift constraints; None for no such lines.
        with_all: accuracy on the whole device, in 0..1.
        accuracy_of: tests a learner.
        programmed: puts the network on a device with other options.

    Returns:
        A line for the weights of each connection, the neurons of each layer that the device replaces, what it shows of
        membranes, and each option by which a device lifts a constraint of its own.
    """
    device = deployed.store.device
    whole, network = Chip(device, deployed.store.hardware_state), deployed.model.network
    spared = [(f"weights of {name}", Spared(device, weights={name: exact[name]})) for _, _, name in network.weights()]
    for layer in network.layers:
        if whole.neuron(layer.name, layer.neuron) is not layer.neuron:
            spared.append((f"neurons of {layer.name}", Spared(device, neurons=frozenset({layer.name}))))
    if whole.observes:
        spared.append(("what is seen of membranes", Spared(device, observing=True)))
    rows: list[Constraint] = []
    for words, instead in spared:
        deployed.store.hardware = instead
        try:
            accuracy = accuracy_of(deployed)
        finally:
            deployed.store.hardware = device
        rows.append(Constraint(words, None, accuracy, accuracy - with_all))
    for words, option, text in [] if hardware is None else lifted(hardware):
        accuracy = accuracy_of(programmed(text))
        rows.append(Constraint(words, option, accuracy, accuracy - with_all))
    return sorted(rows, key=lambda row: -row.cost)


def lifted(hardware: str) -> list[tuple[str, str, str]]:
    """The constraints that options of the devices lift.

    Args:
        hardware: device models joined by +.

    Returns:
        For each one that holds: its words, the option, and the text of the devices with that option.
    """
    pieces = [piece.strip() for piece in hardware.split("+")]
    rows = []
    for place, piece in enumerate(pieces):
        device = DEVICES.make(piece)
        for words, option in (device.constraints if isinstance(device, Constrained) else {}).items():
            name, options = parse_named(piece)
            _, without = parse_named(f"{name}:{option}")
            text = write_named(name, {**options, **without})
            if DEVICES.make(text) != device:
                rows.append((words, option, "+".join([*pieces[:place], text, *pieces[place + 1 :]])))
    return rows
