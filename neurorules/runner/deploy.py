"""A trained network put on a device model: accuracy before and after, layer by layer what was lost, and its energy."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.data_set import DataPlace
from neurorules.contracts.device import DEVICES
from neurorules.contracts.device_hooks import OwnFormat
from neurorules.contracts.target import OF_VALUES
from neurorules.language.errors import UserError
from neurorules.language.options import parse_named
from neurorules.runner.constraints import costs_of
from neurorules.torch_path.training.account import energy_of
from neurorules.torch_path.training.evaluate import evaluate
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.on_device import folded, on_device
from neurorules.torch_path.training.restore import restore

HEADROOM = "headroom"
"""The option by which devices leave weights room to grow; those that are programmed once need none."""


def deploy_run(run: Path, hardware: str, data_dir: DataPlace = None) -> dict[str, Any]:
    """Put the network of a finished run on a device model and test it there. Nothing learns, and nothing is written.

    Args:
        run: folder of the run.
        hardware: device models joined by +; where `headroom` is left out it is 1, since no weight grows any more.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.

    Returns:
        hardware, test_accuracy on the device, float_accuracy of the run, folded_accuracy without normalisation, energy
        of one sample in pJ by term (None where the device gives none), quantisation and rates by layer, and what each
        constraint costs.

    Raises:
        UserError: no finished run, a net or device that does not serve, or a task without classes.
    """
    hardware = "+".join(without_headroom(piece) for piece in hardware.split("+"))
    restored = restore(run, data_dir)
    learner, part = restored.learner, restored.data.test
    if learner.model.task in OF_VALUES:
        raise UserError(f"deploy reports accuracies, and the targets here are of task '{learner.model.task}'")
    bare = folded(learner, restored.config.learner_settings())
    plain, unnormalised = (evaluate(one, part, restored.config.seed) for one in (learner, bare))
    exact = {name: value.clone() for name, value in bare.learned.parameters.items()}
    deployed = on_device(bare, hardware)
    there = evaluate(deployed, part, restored.config.seed)

    def accuracy_of(learner: Learner) -> float:
        return evaluate(learner, part, restored.config.seed).accuracy

    def programmed(text: str) -> Learner:
        return on_device(folded(learner, restored.config.learner_settings()), text)

    costs = costs_of(deployed, exact, hardware, there.accuracy, accuracy_of, programmed)
    return {
        "run": str(run), "hardware": hardware, "test_accuracy": there.accuracy, "float_accuracy": plain.accuracy,
        "folded_accuracy": unnormalised.accuracy, "samples": len(part),
        "energy": energy_of(deployed, there, part.steps), "quantisation": quantisation_of(deployed, exact),
        "constraints": [row._asdict() for row in costs],
        "rates": {name: {"float": plain.mean_rates[name], "device": rate} for name, rate in there.mean_rates.items()},
    }  # fmt: skip


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
    """What each connection lost when it was programmed.

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
        assert deployed.hardware is not None
        device, own = Chip(deployed.hardware, state).parts[-1]
        if isinstance(device, OwnFormat):
            codes, step, lowest, highest = device.codes(own, name, deployed.learned.parameters[name])
            ends = ((codes == lowest) | (codes == highest)).double().mean()
            row |= {"step": step, "lowest": lowest, "highest": highest, "values": len(torch.unique(codes))}
            row["at_the_ends"] = float(ends)
        rows[name] = row
    return rows
