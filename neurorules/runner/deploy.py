"""A trained network put on a device model: accuracy before and after, layer by layer what was lost, and its energy."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.data_set import DataPlace
from neurorules.contracts.device import DEVICES
from neurorules.contracts.device_hooks import Clocked, OwnFormat
from neurorules.contracts.target import OF_VALUES
from neurorules.language.errors import UserError
from neurorules.language.options import parse_named
from neurorules.language.ranges import NonNegative, check_range
from neurorules.runner.constraints import costs_of
from neurorules.torch_path.training.account import energy_of
from neurorules.torch_path.training.evaluate import Evaluation, evaluate
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.on_device import folded, on_device
from neurorules.torch_path.training.restore import Restored, restore

HEADROOM = "headroom"
"""The option by which devices leave weights room to grow; those that are programmed once need none."""


def deploy_run(
    run: Path, hardware: str | None = None, data_dir: DataPlace = None, after_s: float = 0.0
) -> dict[str, Any]:
    """Put the network of a finished run on a device model and test it there. Nothing learns, and nothing is written.

    A run that learned under a device is tested on that device, as training left it.

    Args:
        run: folder of the run.
        hardware: device models joined by +; where `headroom` is left out it is 1, since no weight grows any more. None
            for the device that the run learned under.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.
        after_s: seconds that the chip lies between programming, or the end of training, and the test, >= 0.

    Returns:
        hardware, after_s, test_accuracy on the device, float_accuracy of the run, folded_accuracy without
        normalisation, energy of one sample in pJ by term (None where the device gives none), quantisation and rates by
        layer, and what each constraint costs. Of a run that learned under a device, float_accuracy is that of the
        weights as they are stored, without the device, and folded_accuracy is None.

    Raises:
        UserError: no finished run, a net or device that does not serve, a device whose time does not pass, or a task
            without classes.
    """
    check_range("after_s", after_s, NonNegative)
    restored = restore(run, data_dir)
    learner, part, seed = restored.learner, restored.data.test, restored.config.seed
    if learner.model.task in OF_VALUES:
        raise UserError(
            f"deploy reports accuracies, and the run learned values (task '{learner.model.task}'). Give a run that "
            f"learned classes or labels"
        )

    def measured(learner: Learner) -> Evaluation:
        return evaluate(learner, part, seed)

    own = learner.hardware is not None and hardware in (None, restored.config.hardware)
    case = _own_chip(restored, measured) if own else _other_chip(restored, hardware, measured)
    let_pass(case.deployed, after_s)
    there = measured(case.deployed)

    def accuracy_of(learner: Learner) -> float:
        return measured(learner).accuracy

    def programmed(text: str) -> Learner:
        again = on_device(folded(learner, restored.config.learner_settings()), text)
        let_pass(again, after_s)
        return again

    costs = costs_of(case.deployed, case.exact, case.lifts, there.accuracy, accuracy_of, programmed)
    rates = case.plain.mean_rates
    return {
        "run": str(run), "hardware": case.hardware, "after_s": after_s, "test_accuracy": there.accuracy,
        "float_accuracy": case.plain.accuracy, "folded_accuracy": case.folded_accuracy, "samples": len(part),
        "energy": energy_of(case.deployed, there, part.steps),
        "quantisation": quantisation_of(case.deployed, case.exact), "constraints": [row._asdict() for row in costs],
        "rates": {name: {"float": rates[name], "device": rate} for name, rate in there.mean_rates.items()},
    }  # fmt: skip


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


def _other_chip(restored: Restored, hardware: str | None, measured: Callable[[Learner], Evaluation]) -> Case:
    """A net that learned without the chip, folded and programmed."""
    if hardware is None:
        raise UserError("the run learned in plain memory. Name the device to put it on, such as --hardware loihi")
    hardware = "+".join(without_headroom(piece) for piece in hardware.split("+"))
    bare = folded(restored.learner, restored.config.learner_settings())
    plain, unnormalised = measured(restored.learner), measured(bare).accuracy
    exact = {name: value.clone() for name, value in bare.learned.parameters.items()}
    return Case(on_device(bare, hardware), plain, unnormalised, exact, hardware, hardware)


def _own_chip(restored: Restored, measured: Callable[[Learner], Evaluation]) -> Case:
    """The chip that a net learned on, as training left it."""
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


def quantisation_of(deployed: Learner, exact: dict[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Measure what each connection lost when it was programmed.

    Args:
        deployed: on the device.
        exact: the weights that were programmed, by name.

    Returns:
        By parameter: the root mean square of the error of what is read, over that of the weights; the largest error
        over the largest weight; and where the device shows codes, what one is worth, their ends, how many values are
        used, and the share at the ends.
    """
    rows: dict[str, dict[str, Any]] = {}
    reading, state = deployed.read(), deployed.store.hardware_state
    for _, _, name in deployed.model.network.weights():
        w, error = exact[name].double(), reading[name].double() - exact[name].double()
        size = float(w.square().mean().sqrt()) or 1.0
        row: dict[str, Any] = {
            "weights": w.numel(),
            "relative_error": float(error.square().mean().sqrt()) / size,
            "largest_error": float(error.abs().max()) / (float(w.abs().max()) or 1.0),
        }
        device, own = Chip(deployed.store.device, state).parts[-1]
        if isinstance(device, OwnFormat):
            codes, step, lowest, highest = device.codes(own, name, deployed.learned.parameters[name])
            ends = ((codes == lowest) | (codes == highest)).double().mean()
            row |= {"step": step, "lowest": lowest, "highest": highest, "values": len(torch.unique(codes))}
            row["at_the_ends"] = float(ends)
        rows[name] = row
    return rows
