"""A net that leaves the chip it learned on: the numbers that go with it, and the neurons that stay behind."""

from __future__ import annotations

import logging
from typing import Any

from neurorules.contracts.chip import Chip
from neurorules.contracts.device_hooks import Observing, OwnNeurons
from neurorules.language.errors import UserError
from neurorules.network.model import Learned
from neurorules.network.network import Network
from neurorules.network.transmission import as_transmitted

_log = logging.getLogger(__name__)


def chips_neurons(chip: Chip | None, network: Network) -> str | None:
    """Say which layers run neurons of the chip in place of the net's own.

    Args:
        chip: that the net runs on; None for plain memory.
        network: with its own neurons.

    Returns:
        A phrase such as "neurons of the device Xylo (hidden1, readout)"; None where the chip leaves all neurons.
    """
    for device, state in () if chip is None else chip.parts:
        if isinstance(device, OwnNeurons):
            layers = network.layers
            own = [one.name for one in layers if device.on_neuron(state, one.name, one.neuron) is not one.neuron]
            if own:
                return f"neurons of the device {type(device).__name__} ({', '.join(own)})"
    return None


def check_neurons(chip: Chip | None, network: Network, machine: str) -> None:
    """Refuse a net whose spikes are those of neurons that another machine does not run.

    Args:
        chip: that the net learned on; None for plain memory.
        network: with its own neurons.
        machine: the name of the other machine, for the message.

    Raises:
        UserError: the chip runs neurons of its own.
    """
    neurons = chips_neurons(chip, network)
    if neurons is not None:
        raise UserError(
            f"the run learned on {neurons}, and {machine} runs the net's own, which spike otherwise. Use a run with "
            f"--hardware none, or with the device's option neurons=float"
        )


def warn_of_neurons(chip: Chip | None, network: Network, place: str) -> None:
    """Say in one line that a file or an object holds the net's own neurons, and not those that it learned on.

    Args:
        chip: that the net learned on; None for plain memory.
        network: with its own neurons.
        place: what holds them, for the message.
    """
    neurons = chips_neurons(chip, network)
    if neurons is not None:
        _log.warning("the net learned on %s, and %s holds the net's own, which spike otherwise", neurons, place)


def warn_of_membranes(chip: Chip | None, machine: str) -> None:
    """Say in one line that membranes of the net are compared as its chip reads them out.

    Args:
        chip: that the net runs on; None for plain memory.
        machine: whose membranes they are compared with.
    """
    for device, _ in () if chip is None else chip.parts:
        if isinstance(device, Observing):
            _log.warning(
                "the device %s changes membranes where it reads them out, and %s does not: the difference of membranes "
                "holds that too", type(device).__name__, machine,
            )  # fmt: skip


def handed_over(learner: Any, place: str) -> Learned:
    """The trained numbers of a learner for a file or an object without its chip.

    Args:
        learner: a `Learner`, whose steps under way are finished first.
        place: what holds them, for the line that says which neurons stay behind.

    Returns:
        Everything learned, with the weights that the chip presented and that synapses transmit.
    """
    learner.outstanding.settle()
    warn_of_neurons(learner.store.chip(), learner.model.network, place)
    return as_transmitted(learner.model, learner.trial_state())
