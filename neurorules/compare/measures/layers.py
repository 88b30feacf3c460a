"""The measures of each layer on probe samples: firing rates, silent neurons, and how well it predicts the label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from neurorules.compare.measures.probe_samples import Probe
from neurorules.compare.measures.probes import probe_accuracy
from neurorules.network.layer import Layer
from neurorules.network.model import Learned
from neurorules.network.network import Network
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.training.batches import Part
from neurorules.torch_path.training.checks import check_drive
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.trial.observe import respond

SATURATED = 0.95
"""A neuron that fires in more than this share of steps counts as saturated."""


class Look(NamedTuple):
    """The measures that a probe takes of one layer.

    Args:
        measures: the measures by name.
        features: the activity averaged over time of the measured samples, (B, N).
    """

    measures: dict[str, Any]
    features: Shaped[np.ndarray, "B N"]


def look_at(learner: Learner, learned: Learned, probe: Probe) -> dict[str, Look]:
    """Run the samples of a probe, and measure each layer.

    Args:
        learner: the learner, whose network runs and is not changed.
        learned: the state to run it with.
        probe: the samples.

    Returns:
        By layer, firing_rate, dead, saturated and probe_accuracy, all in 0..1; the first three are None for the
        read-out, and the last one where samples have no class.
    """
    fitted, fitted_labels = _run(learner, learned, probe, probe.train, probe.fit_positions)
    held, held_labels = _run(learner, learned, probe, probe.part, probe.measure_positions)
    looks = {}
    for layer in learner.model.network.layers:
        here, there = fitted[layer.name], held[layer.name]
        measures = _firing(layer, np.concatenate([here, there]))
        has_classes = learner.model.task == "classes"
        measures["probe_accuracy"] = probe_accuracy(here, fitted_labels, there, held_labels) if has_classes else None
        looks[layer.name] = Look(measures, there)
    return looks


def weight_change(network: Network, before: Mapping[str, Tensor], now: Mapping[str, Tensor]) -> dict[str, float | None]:
    """Measure how far the weights of each layer moved: |w - w_before| / |w_before|.

    Args:
        network: the network, which names the weights of each layer.
        before: earlier weights, by name; weights that are missing do not count.
        now: weights, by name.

    Returns:
        By layer, the share of all its weights; None if the earlier ones are missing or were 0.
    """
    squares: dict[str, list[float]] = {layer.name: [0.0, 0.0] for layer in network.layers}
    for layer, _, name in network.weights():
        if name in before:
            squares[layer.name][0] += float((now[name] - before[name]).double().square().sum())
            squares[layer.name][1] += float(before[name].double().square().sum())
    return {name: (change / size) ** 0.5 if size else None for name, (change, size) in squares.items()}


def _run(
    learner: Learner, learned: Learned, probe: Probe, part: Part, positions: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """By layer, the activity averaged over time, (B, N); and the labels (B,)."""
    network = learner.model.network
    pieces: dict[str, list[Tensor]] = {layer.name: [] for layer in network.layers}
    labels = []
    for drive, batch_labels in probe.batches(part, positions):
        drive, steps = check_drive(drive, network, learner.steps, learner.device, learner.dtype)
        response = respond(learner.store.on_hardware(learner.model), learned, drive, steps)
        for layer, activity in zip(network.layers, response.activity, strict=True):
            pieces[layer.name].append(_mean(layer, activity))
        labels.append(batch_labels)
    return {name: torch.cat(parts).numpy() for name, parts in pieces.items()}, torch.cat(labels).numpy()


def _mean(layer: Layer, activity: Activity) -> Float[Tensor, "B N"]:
    """The output averaged over time, (B, N); for a spiking read-out the membrane, from which its scores are
    computed.
    """
    shown = activity.v if layer.role == "readout" and layer.neuron.spiking else activity.S
    return (shown.total(activity.steps) / activity.steps).flatten(1).float().cpu()


def _firing(layer: Layer, means: Shaped[np.ndarray, "B N"]) -> dict[str, Any]:
    """Firing of a hidden layer, from its activity averaged over time, (B, N); a graded output cannot saturate."""
    if layer.role == "readout":
        return {"firing_rate": None, "dead": None, "saturated": None}
    rates = means.mean(0)
    saturated = float((rates > SATURATED).mean()) if layer.neuron.spiking else None
    return {"firing_rate": float(rates.mean()), "dead": float((means == 0).all(0).mean()), "saturated": saturated}
