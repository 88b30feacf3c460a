"""A trained net as an ordinary Brian2 network: compared with torch, or as objects of the user's session."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.brian2_steps.backend import device_of, load_brian2
from neurorules.brian2_steps.ordinary import KEEPS, Brian2Network, ordinary_network, simulate_ordinary
from neurorules.brian2_steps.parity import compare_spikes
from neurorules.brian2_steps.scale import SCALE, STEP_MS, Scale
from neurorules.brian2_steps.simulate import Recorded
from neurorules.contracts.data_set import DataPlace
from neurorules.runner.trained_case import TrainedCase, trained_case
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.off_chip import warn_of_membranes

AT_ONCE = 100
"""Number of samples of one run of Brian2, which bounds the memory of its tables."""


def simulate_as_ordinary(
    run: Path, samples: int, data_dir: DataPlace = None, device: str = "runtime"
) -> dict[str, Any]:
    """Run a trained net as an ordinary Brian2 network and in torch, and compare every spike.

    Args:
        run: folder of a finished run of the torch path.
        samples: number of its first test samples, >= 1.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.
        device: name of Brian2's device, such as cpp_standalone (see `brian2_steps.backend.DEVICES`).

    Returns:
        samples, spikes_compared, spikes_equal and first_difference, a spike of Brian2 counted as many steps earlier as
        its layer is late; membrane_difference, the largest of layers that do not spike; and
        keeps, what such a network keeps of the trained one.

    Raises:
        UserError: there is no such run, a layer has no such map, there are fewer test samples, or the device is not
            known or not installed.
        MissingExtra: brian2 is not installed.
    """
    load_brian2()
    device_of(device)  # before anything is read
    trained = trained_case(run, samples, data_dir)
    warn_of_membranes(trained.learner.store.chip(), "Brian2")
    layers = trained.learner.model.network.layers
    response = trained.learner.respond(trained.drive)
    here = {
        layer.name: activity.S.over_time(trained.config.steps).flatten(2).double().numpy()
        for layer, activity in zip(layers, response.activity, strict=True)
    }
    there = _in_parts(trained, device)
    spiking = {layer.name for layer in layers if layer.neuron.spiking}
    parity = compare_spikes(*({name: side[name] for name in here if name in spiking} for side in (here, there)))
    apart = [float(np.abs(here[name] - there[name]).max()) for name in here if name not in spiking]
    return {
        "samples": parity.samples,
        "spikes_compared": parity.spikes_compared,
        "spikes_equal": parity.spikes_equal,
        "first_difference": None if parity.first_difference is None else asdict(parity.first_difference),
        "membrane_difference": max(apart, default=0.0),
        "keeps": KEEPS,
    }


def _in_parts(trained: TrainedCase, device: str) -> dict[str, np.ndarray]:
    """The activity of an ordinary network in all samples, by layer, (T, B, N)."""
    case, steps = trained.case, trained.config.steps
    parts: list[dict[str, Recorded]] = [
        simulate_ordinary(case.rows(start, start + AT_ONCE), steps, device) for start in range(0, case.samples, AT_ONCE)
    ]
    return {name: np.concatenate([part[name].S for part in parts], axis=1) for name in parts[0]}


def network_objects(
    run: Path, samples: int, data_dir: DataPlace = None, step_ms: float = STEP_MS, scale: Scale = SCALE
) -> Brian2Network:
    """Build a trained net as ordinary Brian2 objects of the user's session.

    Args:
        run: folder of a finished run of the torch path.
        samples: number of its first test samples, which it shows one after another, >= 1.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.
        step_ms: length of a time step in ms, > 0.
        scale: the scale of membranes in volt.

    Returns:
        The Brian2 objects, on the device that is active.

    Raises:
        UserError: there is no such run, a layer has no such map, or there are fewer test samples.
        MissingExtra: brian2 is not installed.
    """
    trained = own_session()(trained_case)(run, samples, data_dir, step_ms, scale)
    return ordinary_network(trained.case, trained.config.steps)
