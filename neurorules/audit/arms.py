"""One arm of the audit over time: one thing is changed in one trial, and the updates from then on are read."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from neurorules.audit.other_weights import OtherWeights, RecordingLearner, disturb_averages, disturb_momenta, noise_like
from neurorules.audit.probes import Quiet
from neurorules.audit.settings import CLASSES, ROWS, SHAPE, Settings
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.running_mean import RunningMean

LATER = 2
"""Number of trials after the disturbed one that are read."""

Gradients = Mapping[str, np.ndarray]
"""The gradients of a trial, by parameter."""


class Read(NamedTuple):
    """The gradients of the trials of one arm.

    Args:
        first: gradients of the disturbed trial.
        later: gradients of each trial after it.
        averages: the signal's running averages after the disturbed trial, by name.
    """

    first: Gradients
    later: Sequence[Gradients]
    averages: dict[str, np.ndarray]


@dataclass(frozen=True)
class Arm:
    """The disturbance of one trial. By default nothing is changed.

    Args:
        weights: by parameter, noise on the values that all code except the passes reads.
        factors: whether parameters are multiplied by the noise; otherwise it is added.
        optimiser: name of the layer whose momenta in the optimiser are changed.
        averages: name of the layer whose running averages of updates are changed.
        probe: a probe that changes what learning reads from the passes.
        labels: whether every label is changed.
        samples: (B,), the samples of the batch that are replaced.
        holds_averages: whether the signal's declared memory is also restored after the trial.
    """

    weights: Mapping[str, Tensor] | None = None
    factors: bool = False
    optimiser: str | None = None
    averages: str | None = None
    probe: Quiet | None = None
    labels: bool = False
    samples: Bool[Tensor, " B"] | None = None
    holds_averages: bool = False


class NoisyAnswer(Quiet):
    """A probe that changes the network's response to noise."""

    def answered(self, response: Tensor) -> Tensor:
        return response + noise_like(response, torch.Generator().manual_seed(5)) * (1 + response.abs().mean())


def learner_of(settings: Settings, **how: Any) -> RecordingLearner:
    """Build a new learner in float64.

    Args:
        settings: the audited settings, without the schedule.
        how: further options of `Learner`; without them it learns layer by layer, all steps at once.

    Returns:
        The learner before any training.
    """
    return RecordingLearner(
        rule=settings.rule, input_shape=SHAPE, classes=CLASSES, steps=settings.time_steps(), seed=1, device="cpu",
        precision="float64", **settings.complete(), **how,
    )  # fmt: skip


def run(learner: RecordingLearner, steps: int, arm: Arm) -> Read:
    """Run the disturbed trial and the trials after it.

    Args:
        learner: the learner, which all of these trials change.
        steps: T of each trial.
        arm: the disturbance of the first trial.

    Returns:
        The gradients of the trials.
    """
    before, memory = learner.before(), declared_memory(learner)
    drive, labels = batch(steps, 0)
    if arm.samples is not None:
        others = batch(steps, 7)[0]
        drive = torch.where(arm.samples.reshape(1, -1, 1, 1, 1), others, drive)
        labels = torch.where(arm.samples, (labels + 1) % CLASSES, labels)
    labels = (labels + 1) % CLASSES if arm.labels else labels
    learner.probe = arm.probe
    if arm.weights is not None:
        learner.probe = OtherWeights(arm.weights, arm.factors)
        learner.probe.put(learner.learned.parameters)
    if arm.optimiser is not None:
        disturb_momenta(learner, arm.optimiser, torch.Generator().manual_seed(3))
    if arm.averages is not None:
        disturb_averages(learner, arm.averages, torch.Generator().manual_seed(3))
    first = learner.trial(drive, labels)
    averages = {n: v.value.numpy().copy() for n, v in learner.learned.signal.items() if isinstance(v, RunningMean)}
    learner.probe = None
    later = []
    for number in range(LATER):
        learner.put_back(before)
        if arm.holds_averages and number == 0:
            learner.learned = replace(learner.learned, signal={**learner.learned.signal, **memory})
        later.append(learner.trial(*batch(steps, 50 + number)))
    return Read(first, later, averages)


def batch(steps: int, seed: int) -> tuple[Float64[Tensor, "T B *shape"], Int64[Tensor, " B"]]:
    """Draw a batch of random samples.

    Args:
        steps: T.
        seed: the seed of the draws.

    Returns:
        Spikes (T, B, *input) of size 1.5, and class indices (B,).
    """
    generator = torch.Generator().manual_seed(seed)
    spikes = torch.rand(steps, ROWS, *SHAPE, generator=generator, dtype=torch.float64) < 0.4
    return spikes.double() * 1.5, torch.randint(0, CLASSES, (ROWS,), generator=generator)


def weight_noise(learner: RecordingLearner, layer: str, seed: int) -> dict[str, Tensor]:
    """Draw noise on the parameters of a layer and of its signal.

    Args:
        learner: the learner.
        layer: name of the layer.
        seed: the seed of the draws.

    Returns:
        Noise N(0, 0.3^2) in each parameter's shape, by name; parameters of the layer's neurons are left out.
    """
    generator = torch.Generator().manual_seed(seed)
    network = learner.model.network
    names = [name for name in learner.model.parameter_names if key_of(name).layer == layer]
    running = {f"{a.name}.{name}" for a in network.layers for name in a.neuron.learns}
    chosen = sorted(set(names) - running)
    return {name: 0.3 * noise_like(learner.learned.parameters[name], generator) for name in chosen}


def plain_tensors(learner: RecordingLearner) -> dict[str, bytes]:
    """The bytes of the signal's tensors that should stay fixed: no running means, and not declared to move; by name."""
    declared = moving_tensors(learner)
    return {
        name: value.numpy().tobytes()
        for name, value in learner.learned.signal.items()
        if isinstance(value, Tensor) and not any(name in named for named in declared.values())
    }


def moving_tensors(learner: RecordingLearner) -> dict[str, dict[str, bytes]]:
    """The bytes of the signal's tensors that are declared to move: by pattern in `moves`, and by name."""
    patterns = () if learner.model.signal is None else learner.model.signal.moves
    return {
        pattern: {
            name: value.numpy().tobytes()
            for name, value in learner.learned.signal.items()
            if isinstance(value, Tensor) and fnmatch.fnmatch(name, pattern)
        }
        for pattern in patterns
    }


def declared_memory(learner: RecordingLearner) -> dict[str, Any]:
    """The running means in the signal's state and the tensors that are declared to move, by name."""
    fixed = plain_tensors(learner)
    return {name: value for name, value in learner.learned.signal.items() if name not in fixed}
