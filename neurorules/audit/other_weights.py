"""A learner whose passes use its true weights, while all other code in the process sees different weights.

The true weights are stored as bytes, and become tensors only during a pass. Code that searches for weights in
arguments, frames, storages or the garbage collector finds only the different weights. This is how the audit detects
that a signal reads weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.audit.probes import Quiet
from neurorules.contracts.normalisation import UpdateStatistics
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.running_mean import RunningMean
from neurorules.network.network import Parameters
from neurorules.torch_path.training.learner import Learner


class TensorBytes(NamedTuple):
    """The values of a tensor as bytes, which a search for tensors does not find."""

    values: bytes
    shape: tuple[int, ...]

    def tensor(self) -> Tensor:
        """A new float64 tensor of the same bits."""
        return torch.frombuffer(bytearray(self.values), dtype=torch.float64).reshape(self.shape)


def bytes_of(value: Tensor) -> TensorBytes:
    """The values of a tensor as bytes, in float64."""
    return TensorBytes(value.detach().double().numpy().tobytes(), tuple(value.shape))


class Before(NamedTuple):
    """Everything that a learner has learned, except for the state of its signal.

    Args:
        parameters: parameters by name.
        optimiser: the optimiser's state, by the name of the parameter and the name of the quantity.
        statistics: running averages of currents, of presynaptic activity and of updates, and traces across trials.
        generator: state of the random generator.
    """

    parameters: dict[str, TensorBytes]
    optimiser: dict[str, dict[str, TensorBytes]]
    statistics: dict[str, Any]
    generator: bytes


class RecordingLearner(Learner):
    """A learner that records the gradients of each trial, including phases that apply their changes at once."""

    recorded: dict[str, Tensor]

    def trial(self, drive: Tensor, labels: Tensor) -> dict[str, np.ndarray]:
        """Learn from one batch, as in training.

        Args:
            drive: spikes (T, B, *input).
            labels: class indices (B,).

        Returns:
            The gradient of each parameter, summed over the phases of the trial.
        """
        self.recorded = {}
        result, _ = self.learn(drive, labels)
        for name, value in result.gradients.items():
            self.recorded[name] = self.recorded[name] + value if name in self.recorded else value
        self.measures()
        return {name: value.numpy().copy() for name, value in self.recorded.items()}

    def apply_and_read(self, gradients: Mapping[str, Tensor], fraction: float = 1.0) -> dict[str, Tensor]:
        self.recorded |= {name: value.clone() for name, value in gradients.items()}
        if not isinstance(self.probe, OtherWeights):
            return super().apply_and_read(gradients, fraction)
        self.probe.take_back(self.learned.parameters)
        super().apply_and_read(gradients, fraction)
        self.probe.put(self.learned.parameters)
        return self.read()

    def before(self) -> Before:
        """A copy of everything except the signal's state, which `put_back` can restore."""
        learned = self.learned
        return Before(
            {name: bytes_of(value) for name, value in learned.parameters.items()},
            {name: {key: bytes_of(v) for key, v in values.items()} for name, values in self.optimiser.buffers.items()},
            {name: dict(getattr(learned, name)) for name in ("current", "pre", "update", "traces")},
            self.generator.get_state().numpy().tobytes(),
        )

    def put_back(self, before: Before) -> None:
        """Restore parameters, optimiser, averages and random generator. The signal keeps its state."""
        for name, value in before.parameters.items():
            self.learned.parameters[name].copy_(value.tensor())
        for name, values in self.optimiser.buffers.items():
            for key in values.keys() - before.optimiser[name].keys():
                del values[key]
            for key, value in before.optimiser[name].items():
                values[key].copy_(value.tensor())
        self.learned = replace(self.learned, **{name: dict(own) for name, own in before.statistics.items()})
        self.generator.set_state(torch.frombuffer(bytearray(before.generator), dtype=torch.uint8))


class OtherWeights(Quiet):
    """A probe that changes the parameters in place, while the passes use the true values.

    Args:
        noise: noise in the shape of each parameter, by name.
        factors: whether parameters are multiplied by the noise; otherwise it is added.
    """

    def __init__(self, noise: Mapping[str, Tensor], factors: bool = False) -> None:
        super().__init__()
        self.noise, self.factors = dict(noise), factors
        self.true: dict[str, TensorBytes] = {}

    def put(self, parameters: Parameters) -> None:
        """Store the true parameters as bytes, and change the tensors that all other code sees."""
        for name, noise in self.noise.items():
            self.true[name] = bytes_of(parameters[name])
            parameters[name].mul_(noise) if self.factors else parameters[name].add_(noise)

    def take_back(self, parameters: Parameters) -> None:
        """Copy the true parameters back into the tensors."""
        for name, value in self.true.items():
            parameters[name].copy_(value.tensor())

    def forward(self, parameters: Parameters) -> Parameters:
        return {**parameters, **{name: value.tensor() for name, value in self.true.items()}}


def disturb_momenta(learner: RecordingLearner, layer: str, generator: torch.Generator) -> None:
    """Change the optimiser's momenta of a layer's parameters in place.

    Args:
        learner: the learner.
        layer: name of the layer.
        generator: the generator of the noise.
    """
    for name, values in learner.optimiser.buffers.items():
        for key, value in values.items():
            if key_of(name).layer == layer and key != "step":
                value.mul_(0.5 + noise_like(value, generator).abs())  # mean squares stay positive


def disturb_averages(learner: RecordingLearner, layer: str, generator: torch.Generator) -> None:
    """Add noise to the running means of a layer's updates.

    Args:
        learner: the learner.
        layer: name of the layer.
        generator: the generator of the noise.
    """
    moved = dict(learner.learned.update)
    for name, statistics in moved.items():
        if name.split(".")[1] == layer:
            moved[name] = UpdateStatistics(*(_disturbed(mean, generator) for mean in statistics))
    learner.learned = replace(learner.learned, update=moved)


def noise_like(value: Float[Tensor, "*shape"], generator: torch.Generator) -> Float[Tensor, "*shape"]:
    """Draw standard normal numbers in the shape of a tensor.

    Args:
        value: a tensor that gives the shape and the type of the noise.
        generator: the random generator.

    Returns:
        The noise, on the generator's device.
    """
    return torch.randn(value.shape, generator=generator, dtype=value.dtype)


def _disturbed(mean: RunningMean, generator: torch.Generator) -> RunningMean:
    """A running mean plus noise of the same size."""
    return mean._replace(value=mean.value + noise_like(mean.value, generator) * (1e-6 + mean.value.abs().mean()))
