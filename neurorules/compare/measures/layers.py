"""What a probe shows of each layer: how much it fires, who never does, and what its activity tells of the label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
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
"""A neuron that fires in more than this share of steps has nothing left to say."""


class Look(NamedTuple):
    """Measures of a layer by name, and its time-averaged activity on the samples seen, (samples, features)."""

    measures: dict[str, Any]
    features: np.ndarray


def look_at(learner: Learner, learned: Learned, probe: Probe) -> dict[str, Look]:
    """By layer: firing_rate, dead, saturated, probe_accuracy; the first three of hidden layers only.

    Args:
        learner: its network runs, and stays as it is.
        learned: the state it runs with.
        probe: the samples.
    """
    fitted, fitted_labels = _run(learner, learned, probe, probe.train, probe.fitted)
    seen, seen_labels = _run(learner, learned, probe, probe.part, probe.seen)
    found = {}
    for layer in learner.model.network.layers:
        here, there = fitted[layer.name], seen[layer.name]
        measures = _firing(layer, np.concatenate([here, there]))
        measures["probe_accuracy"] = probe_accuracy(here, fitted_labels, there, seen_labels)
        found[layer.name] = Look(measures, there)
    return found


def weight_change(network: Network, before: Mapping[str, Tensor], now: Mapping[str, Tensor]) -> dict[str, float | None]:
    """By layer |w - w_before| / |w_before| of all its weights; None where it is not known or was nothing."""
    squares: dict[str, list[float]] = {layer.name: [0.0, 0.0] for layer in network.layers}
    for layer, _, name in network.weights():
        if name in before:
            squares[layer.name][0] += float((now[name] - before[name]).double().square().sum())
            squares[layer.name][1] += float(before[name].double().square().sum())
    return {name: (change / size) ** 0.5 if size else None for name, (change, size) in squares.items()}


def _run(
    learner: Learner, learned: Learned, probe: Probe, part: Part, positions: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """By layer the mean activity over time, (samples, features), and the labels."""
    network = learner.model.network
    found: dict[str, list[Tensor]] = {layer.name: [] for layer in network.layers}
    labels = []
    for drive, batch_labels in probe.batches(part, positions):
        drive, steps = check_drive(drive, network, learner.steps, learner.device, learner.dtype)
        response = respond(learner.model, learned, drive, steps)
        for layer, activity in zip(network.layers, response.activity, strict=True):
            found[layer.name].append(_mean(layer, activity))
        labels.append(batch_labels)
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}, torch.cat(labels).numpy()


def _mean(layer: Layer, activity: Activity) -> Tensor:
    """Mean output; of a spiking read-out the mean membrane, which its scores are."""
    shown = activity.v if layer.role == "readout" and layer.neuron.spiking else activity.S
    return (shown.total(activity.steps) / activity.steps).flatten(1).float().cpu()


def _firing(layer: Layer, means: np.ndarray) -> dict[str, Any]:
    """Rates of a hidden layer; graded outputs cannot saturate, and are dead where they are always 0."""
    if layer.role == "readout":
        return {"firing_rate": None, "dead": None, "saturated": None}
    rates = means.mean(0)
    saturated = float((rates > SATURATED).mean()) if layer.neuron.spiking else None
    return {"firing_rate": float(rates.mean()), "dead": float((means == 0).all(0).mean()), "saturated": saturated}
