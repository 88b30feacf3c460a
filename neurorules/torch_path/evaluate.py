"""How well a learner does on samples it does not learn from, and what its spikes cost."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.torch_path.batches import Part
from neurorules.torch_path.layer import Layer
from neurorules.torch_path.learner import Learner

ROWS = 500
"""Samples run at once."""


class Evaluation(NamedTuple):
    """Accuracy in 0..1; hidden spikes and synaptic operations a sample (a spike times the synapses it reaches)."""

    accuracy: float
    spikes_per_sample: float
    synops_per_sample: float
    mean_rates: dict[str, float]
    silent: dict[str, float]


def evaluate(learner: Learner, part: Part, seed: int = 0) -> Evaluation:
    """Run all samples of a part once.

    Args:
        seed: of the encoder's draws.
    """
    generator = torch.Generator().manual_seed(seed)
    layers = learner.model.network.layers
    right, totals = 0, [0.0] * len(layers)
    reached: list[Tensor | None] = [None] * len(layers)
    for drive, labels in part.in_order(ROWS, generator):
        response = learner.respond(drive)
        right += int((response.scores.argmax(1).cpu() == labels).sum())
        for index, activity in enumerate(response.activity[:-1]):
            spikes = activity.S.values
            totals[index] += float(spikes.sum())
            fired = spikes.sum((0, 1)) != 0  # graded outputs have two signs
            known = reached[index]
            reached[index] = fired if known is None else known | fired
    samples = len(part)
    hidden = learner.model.network.hidden
    rates = {a.name: totals[i] / (samples * part.steps * prod(a.shape)) for i, a in enumerate(hidden)}
    silent = {a.name: 1 - float(r.float().mean()) for a, r in zip(hidden, reached, strict=False) if r is not None}
    synops = sum(totals[i] * _fan_out(layers, i) for i in range(len(hidden)))
    return Evaluation(right / samples, sum(totals) / samples, synops / samples, rates, silent)


def _fan_out(layers: tuple[Layer, ...], source: int) -> float:
    """Synapses a neuron of a layer reaches, on average."""
    reached = 0.0
    for layer in layers:
        for entry in layer.inputs:
            if entry.source == source:
                synapses = prod(layer.shape) * entry.connection.fan_in(entry.pre_shape)
                reached += synapses / prod(entry.source_shape)
    return reached
