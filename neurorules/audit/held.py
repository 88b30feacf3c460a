"""A learner whose passes compute with the weights that are, while everything else in the process sees others.

The true weights are then kept as bytes and become tensors for the length of a pass alone: whoever looks for weights,
through whatever is handed, a frame, a base storage or the garbage collector, finds the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.audit.probes import Quiet
from neurorules.contracts.normalisation import UpdateStatistics
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.running_mean import RunningMean
from neurorules.network.network import Parameters
from neurorules.torch_path.training.learner import Learner


class Kept(NamedTuple):
    """A tensor as bytes, which no search for tensors finds."""

    values: bytes
    shape: tuple[int, ...]

    def tensor(self) -> Tensor:
        """A new tensor of the same bits, float64."""
        return torch.frombuffer(bytearray(self.values), dtype=torch.float64).reshape(self.shape)


def kept(value: Tensor) -> Kept:
    """The bits of a tensor."""
    return Kept(value.detach().double().numpy().tobytes(), tuple(value.shape))


class Before(NamedTuple):
    """All that a learner has learned, its signal's state left out."""

    parameters: dict[str, Kept]
    optimiser: dict[str, dict[str, Kept]]
    statistics: dict[str, Any]
    generator: bytes


class Noted(Learner):
    """A learner that notes what each trial asks to change, phases that apply their changes included."""

    asked: dict[str, Tensor]

    def trial(self, drive: Tensor, labels: Tensor) -> dict[str, np.ndarray]:
        """Learn one batch as a loop of epochs does, and report: gradients by parameter."""
        self.asked = {}
        found, _ = self.learn(drive, labels)
        for name, value in found.gradients.items():
            self.asked[name] = self.asked[name] + value if name in self.asked else value
        self.measures()
        return {name: value.numpy().copy() for name, value in self.asked.items()}

    def apply_and_read(self, gradients: Mapping[str, Tensor], fraction: float = 1.0) -> dict[str, Tensor]:
        self.asked |= {name: value.clone() for name, value in gradients.items()}
        if not isinstance(self.probe, OtherWeights):
            return super().apply_and_read(gradients, fraction)
        self.probe.take_back(self.learned.parameters)
        super().apply_and_read(gradients, fraction)
        self.probe.put(self.learned.parameters)
        return self.read()

    def before(self) -> Before:
        """A copy of everything but the signal's state, to which `put_back` returns the learner."""
        learned = self.learned
        return Before(
            {name: kept(value) for name, value in learned.parameters.items()},
            {name: {key: kept(v) for key, v in values.items()} for name, values in self.optimiser.kept.items()},
            {name: dict(getattr(learned, name)) for name in ("current", "pre", "update")},
            self.generator.get_state().numpy().tobytes(),
        )

    def put_back(self, before: Before) -> None:
        """As if nothing had been learned since: parameters, optimiser, averages, draws. The signal keeps its state."""
        for name, value in before.parameters.items():
            self.learned.parameters[name].copy_(value.tensor())
        for name, values in self.optimiser.kept.items():
            for key in values.keys() - before.optimiser[name].keys():
                del values[key]
            for key, value in before.optimiser[name].items():
                values[key].copy_(value.tensor())
        self.learned = replace(self.learned, **{name: dict(own) for name, own in before.statistics.items()})
        self.generator.set_state(torch.frombuffer(bytearray(before.generator), dtype=torch.uint8))


class OtherWeights(Quiet):
    """The parameters themselves are others, in place, while the passes compute with those that are.

    Args:
        noise: by name, what is added; or what a parameter is multiplied with where `factors`.
        factors: whether the noise multiplies.
    """

    def __init__(self, noise: Mapping[str, Tensor], factors: bool = False) -> None:
        super().__init__()
        self.noise, self.factors = dict(noise), factors
        self.true: dict[str, Kept] = {}

    def put(self, parameters: Parameters) -> None:
        """Keep the true ones as bytes, and change the tensors that everybody else sees."""
        for name, noise in self.noise.items():
            self.true[name] = kept(parameters[name])
            parameters[name].mul_(noise) if self.factors else parameters[name].add_(noise)

    def take_back(self, parameters: Parameters) -> None:
        """The tensors are the true ones again."""
        for name, value in self.true.items():
            parameters[name].copy_(value.tensor())

    def forward(self, parameters: Parameters) -> Parameters:
        return {**parameters, **{name: value.tensor() for name, value in self.true.items()}}


def disturb_momenta(learner: Noted, layer: str, generator: torch.Generator) -> None:
    """Change, in place, what the optimiser keeps of a layer's parameters."""
    for name, values in learner.optimiser.kept.items():
        for key, value in values.items():
            if key_of(name).layer == layer and key != "step":
                value.mul_(0.5 + noise_like(value, generator).abs())  # mean squares stay positive


def disturb_averages(learner: Noted, layer: str, generator: torch.Generator) -> None:
    """Change what is kept of a layer's updates: their running means."""
    moved = dict(learner.learned.update)
    for name, statistics in moved.items():
        if name.split(".")[1] == layer:
            moved[name] = UpdateStatistics(*(_disturbed(mean, generator) for mean in statistics))
    learner.learned = replace(learner.learned, update=moved)


def noise_like(value: Tensor, generator: torch.Generator) -> Tensor:
    """N(0, 1), of the shape and type of a tensor."""
    return torch.randn(value.shape, generator=generator, dtype=value.dtype)


def _disturbed(mean: RunningMean, generator: torch.Generator) -> RunningMean:
    return mean._replace(value=mean.value + noise_like(mean.value, generator) * (1e-6 + mean.value.abs().mean()))
