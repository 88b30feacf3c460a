"""Follow a target signal that belongs to a fixed pattern of spikes (Bellec et al. 2020); drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float

from neurorules.datasets._synthetic import Draw, Samples, Synthetic, with_noise
from neurorules.language.ranges import BelowOne, Count, Fraction, Steps, ranged
from neurorules.language.settings import Task

PERIODS = (1.0, 0.5, 1 / 3, 0.2)
"""Periods of the four sines of a target, as shares of the trial: 1000, 500, 333 and 200 ms of 1000 in the source."""
AMPLITUDES = (0.5, 2.0)


@ranged("data set 'pattern'")
@dataclass(frozen=True)
class Pattern(Synthetic):
    """Input that is the same in each trial but for its noise, and a sum of four sines to follow, step by step.

    The channels fire a pattern that was drawn once, so that they tell what time it is. Each output's target is a sum
    of sines whose periods are the trial and a half, a third and a fifth of it, of amplitudes in 0.5..2 and any phase,
    divided by the largest absolute value. The task is regression_per_step; a constant answer has R2 of about 0, and
    with `shuffled=true` no answer is better in the long run.

    Args:
        length: steps of the trial.
        channels: number of channels.
        rate: probability of a spike per step and channel of the pattern.
        patterns: number of patterns, each with targets of its own; samples take turns.
        outputs: number of values to follow.
        drop: probability that a spike of the pattern is missing in a sample.
        noise: probability of a spike per step that comes to all channels.
        train, test: numbers of samples.
        seed: the seed of everything that is drawn.
        shuffled: whether the time steps of each channel are put into a random order, a control.

    Source: Bellec et al. 2020, Nature Communications 11:3625, https://doi.org/10.1038/s41467-020-17236-y. Deviations:
    there one frozen input is seen again and again, without noise (`drop=0:noise=0`, of which test samples are copies
    of training samples).
    """

    length: Steps = 1000
    channels: Count = 100
    rate: Fraction = 0.05
    patterns: Count = 1
    outputs: Count = 1
    drop: BelowOne = 0.1
    noise: BelowOne = 0.001
    train: Samples = 200
    test: Samples = 50
    name: ClassVar[str] = "pattern"

    @property
    def steps(self) -> int:
        """The number of time steps T."""
        return self.length

    @property
    def inputs(self) -> int:
        """The number of input channels I."""
        return self.channels

    @property
    def targets(self) -> tuple[Task, int]:
        """One value per output at each step."""
        return "regression_per_step", self.outputs

    def sampler(self, random: np.random.RandomState) -> Draw:
        """Draw patterns and targets, and give the function that draws one sample."""
        shape = self.patterns, self.length, self.channels
        frozen: np.ndarray = random.random_sample(shape) < self.rate
        targets = [self._target(random) for _ in range(self.patterns)]

        def draw(
            random: np.random.RandomState, number: int
        ) -> tuple[Bool[np.ndarray, "T inputs"], Float[np.ndarray, "T outputs"]]:
            which = number % self.patterns
            return with_noise(frozen[which], self.drop, self.noise, random), targets[which]

        return draw

    def _target(self, random: np.random.RandomState) -> Float[np.ndarray, "T outputs"]:
        shape = len(PERIODS), self.outputs
        amplitudes = random.uniform(*AMPLITUDES, size=shape)
        phases = random.uniform(0.0, 2 * np.pi, size=shape)
        turns = (np.arange(self.length) / self.length)[:, None, None] / np.array(PERIODS)[:, None]
        signal = (amplitudes * np.sin(2 * np.pi * turns + phases)).sum(axis=1)
        target: np.ndarray = (signal / np.abs(signal).max(axis=0)).astype(np.float32)
        return target


ENTRY = Pattern
