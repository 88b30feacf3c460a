"""Runs a trained network in Brian2 and in torch on the same samples, and compares every spike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.brian2_steps.compiled import SAMPLES, compile_network, run_compiled
from neurorules.brian2_steps.parity import compare_spikes
from neurorules.brian2_steps.program import find_cpp_compiler
from neurorules.brian2_steps.scale import SCALE, STEP_MS, Scale
from neurorules.brian2_steps.simulate import show_model, simulate
from neurorules.brian2_steps.trained import numbers_of
from neurorules.contracts.data_set import DataPlace
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.runs.progress import track
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.off_chip import check_neurons
from neurorules.torch_path.training.restore import Restored, restore

ROWS = 10
"""Number of samples that run at once where nothing is compiled: memory stays bounded, and the bar moves."""
REPAYS = 30
"""Number of samples from which on it repays to compile the network. Source: measured, docs/continuous.md."""


def simulate_run(
    run: Path, samples: int, data_dir: DataPlace = None, quiet: bool = False, step_ms: float = STEP_MS,
    scale: Scale = SCALE,
) -> dict[str, Any]:  # fmt: skip
    """Run a trained network on its first test samples in Brian2 and in torch, both in float64.

    Args:
        run: folder of a finished run.
        samples: number of samples, at least 1.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.
        quiet: shows no progress bar.
        step_ms: length of a time step in ms in the model's text, > 0.
        scale: the scale of potentials, currents and charges in the model's text.

    Returns:
        samples, spikes_compared, spikes_equal, first_difference (None where all are equal), and the model's text.

    Raises:
        UserError: there is no such run, Brian2 cannot run a part of it, or there are fewer test samples.
        MissingExtra: brian2 is not installed.
    """
    restored = restored_for_brian2(run, data_dir)
    test = restored.data.test
    check_samples(samples, len(test))
    generator = torch.Generator().manual_seed(restored.config.seed)

    def drive(start: int, stop: int) -> Series:
        return test.batch(np.arange(start, stop), generator)[0]

    return compared(restored.learner, restored.config.steps, samples, drive, quiet, step_ms, scale).facts


def restored_for_brian2(run: Path, data_dir: DataPlace = None) -> Restored:
    """Load a finished run for Brian2, in float64 on the CPU. What hands a run to Brian2 begins here, unless the run
    learns there: `check_can_learn` then refuses every device.

    Args:
        run: folder of a finished run.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.

    Returns:
        The run.

    Raises:
        UserError: there is no such run, or it learned on neurons of a chip, which Brian2 does not run.
    """
    restored = restore(run, data_dir, precision="float64", device="cpu")
    check_neurons(restored.learner.store.chip(), restored.learner.model.network, "Brian2")
    return restored


def check_samples(samples: int, present: int) -> None:
    """Refuse a number of test samples that is not there.

    Args:
        samples: number that is asked for.
        present: number of test samples.

    Raises:
        UserError: it is not in 1 to `present`.
    """
    if not 1 <= samples <= present:
        raise UserError(f"--samples is {samples}, the test set holds {present}. Ask for 1 to {present}")


class Shown(NamedTuple):
    """The result of a comparison, for a reader.

    Args:
        facts: samples, spikes_compared, spikes_equal, first_difference and model, as `simulate_run` returns them.
        spikes: the number of spikes of each layer that spikes, over all samples.
        scores: class scores (B, C), as torch has them.
    """

    facts: dict[str, Any]
    spikes: dict[str, float]
    scores: Tensor


def compared(
    learner: Learner, steps: int, samples: int, drive: Callable[[int, int], Series], quiet: bool,
    step_ms: float = STEP_MS, scale: Scale = SCALE,
) -> Shown:  # fmt: skip
    """Run a network in Brian2 and in torch, and compare the spikes of every layer that spikes.

    Args:
        learner: whose network it is, on the CPU and in float64.
        steps: the number of steps of a sample.
        samples: number of samples, at least 1.
        drive: makes the drive of the samples from one number to before another.
        quiet: shows no progress bar.
        step_ms: length of a time step in ms in the model's text, > 0.
        scale: the scale of potentials, currents and charges in the model's text.

    Returns:
        What came of it.

    Raises:
        UserError: Brian2 cannot run a part of the network.
        MissingExtra: brian2 is not installed.
    """
    network = learner.model.network
    parameters, norms = numbers_of(learner.model, learner.trial_state(), sent=True)
    layers = [layer for layer in network.layers if layer in network.hidden or layer.neuron.spiking]
    spikes_of: dict[str, list[list[np.ndarray]]] = {layer.name: [[], []] for layer in layers}
    scores: list[Tensor] = []
    compiles = samples >= REPAYS and find_cpp_compiler() is not None
    streamed = None
    at_once = SAMPLES if compiles else ROWS
    for start in track(range(0, samples, at_once), "simulating", quiet=quiet):
        series = drive(start, min(start + at_once, samples))
        response = learner.respond(series)
        here, spikes = response.activity, series.values.double().numpy()
        scores.append(response.scores)
        if compiles:
            streamed = streamed or compile_network(
                network, parameters, steps, constant=series.constant, normalisation=norms
            )
            there = run_compiled(streamed, network, spikes)
        else:
            there = simulate(network, parameters, spikes, steps, normalisation=norms)
        for index, layer in enumerate(network.layers):
            if layer.name not in spikes_of:
                continue
            spikes_of[layer.name][0].append(here[index].S.values.flatten(2).numpy())
            spikes_of[layer.name][1].append(there[layer.name].S)
    sides = [{name: np.concatenate(pair[side], axis=1) for name, pair in spikes_of.items()} for side in (0, 1)]
    parity = compare_spikes(*sides)
    first = None if parity.first_difference is None else asdict(parity.first_difference)
    model = show_model(network, parameters, normalisation=norms, step_ms=step_ms, scale=scale)
    facts = {
        "samples": parity.samples,
        "spikes_compared": parity.spikes_compared,
        "spikes_equal": parity.spikes_equal,
        "first_difference": first,
        "model": model,
    }
    return Shown(facts, {name: float(one.sum()) for name, one in sides[0].items()}, torch.cat(scores))
