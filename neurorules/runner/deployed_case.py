"""A trained network on the chip that it is tested on: the one that it learned on, or another that is programmed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from neurorules.contracts.device import DEVICES
from neurorules.contracts.device_chain import chain
from neurorules.contracts.device_hooks import Clocked
from neurorules.language.errors import UserError
from neurorules.language.options import parse_named
from neurorules.torch_path.training.evaluate import Evaluation
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.on_device import folded, on_device
from neurorules.torch_path.training.restore import Restored

HEADROOM = "headroom"
"""The option by which devices leave weights room to grow; those that are programmed once need none."""


class Case(NamedTuple):
    """A network on the chip that it is tested on, and how it does without the chip.

    Args:
        deployed: on the chip.
        plain: what it does without the chip.
        folded_accuracy: without its normalisation; None where the chip's network keeps that.
        exact: the weights that the chip was asked to hold, by name.
        hardware: the device models, joined by +.
        lifts: those whose options lift a constraint, joined by +; None where programming anew would be another chip.
    """

    deployed: Learner
    plain: Evaluation
    folded_accuracy: float | None
    exact: dict[str, Tensor]
    hardware: str
    lifts: str | None


def on_another_chip(restored: Restored, hardware: str | None, measured: Callable[[Learner], Evaluation]) -> Case:
    """Put a network on a chip that it did not learn on: its normalisation is folded into the weights, and these are
    programmed.

    Args:
        restored: the run.
        hardware: device models joined by +; where `headroom` is left out it is 1.
        measured: tests a network.

    Returns:
        The case.

    Raises:
        UserError: no device is named, or the network does not fit on it.
    """
    if hardware is None:
        raise UserError("the run learned in plain memory. Name the device to put it on, such as --hardware loihi")
    chain(hardware)  # refuses what is no device, before anything is measured
    hardware = "+".join(without_headroom(piece) for piece in hardware.split("+"))
    bare = folded(restored.learner, restored.config.learner_settings())
    plain, unnormalised = measured(restored.learner), measured(bare).accuracy
    exact = {name: value.clone() for name, value in bare.learned.parameters.items()}
    return Case(on_device(bare, hardware), plain, unnormalised, exact, hardware, hardware)


def on_own_chip(restored: Restored, measured: Callable[[Learner], Evaluation]) -> Case:
    """Leave a network on the chip that it learned on, as training left it.

    Args:
        restored: the run, which learned under a device.
        measured: tests a network.

    Returns:
        The case.
    """
    learner = restored.learner
    store, device = learner.store, learner.store.hardware
    store.hardware = None
    try:
        plain = measured(learner)
    finally:
        store.hardware = device
    exact = {name: value.clone() for name, value in learner.learned.parameters.items()}
    return Case(learner, plain, None, exact, restored.config.hardware, None)


def let_pass(deployed: Learner, seconds: float) -> None:
    """Let time pass on a chip.

    Args:
        deployed: on the chip, whose state goes on.
        seconds: that pass, >= 0; none leave it as it is.

    Raises:
        UserError: no device of the chip has a clock that goes on.
    """
    chip = deployed.store.chip()
    if chip is None or seconds == 0:
        return
    steps_s = [device.step_s for device, _ in chip.parts if isinstance(device, Clocked) and device.step_s > 0]
    if not steps_s:
        raise UserError(
            "--after lets time pass on the chip, and this device has no clock in seconds. One that has is pcm, where "
            "step_s is above 0"
        )
    deployed.store.hardware_state = chip.after(round(seconds / steps_s[0]))


def without_headroom(text: str) -> str:
    """The text of a device that leaves its weights no room to grow, unless it says how much.

    Args:
        text: name and options.

    Returns:
        The text, with headroom=1 behind it where the device has that option and the text does not set it.
    """
    name, options = parse_named(text.strip())
    takes = HEADROOM in inspect.signature(DEVICES.factory(name)).parameters
    return f"{text.strip()}:{HEADROOM}=1" if takes and HEADROOM not in options else text.strip()
