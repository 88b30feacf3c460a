"""Smooth random manifolds in spike times (Zenke and Vogels 2021): one spike per channel, so only its time tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Bool, Float

from neurorules.datasets._synthetic import Draw, Synthetic
from neurorules.language.ranges import Classes, Count, Positive, Range, Steps, ranged
from neurorules.language.settings import Task

SMALLEST = 1e-3
"""Waves whose spectrum is below this are left out, which is the authors' precision."""
MOST_WAVES = 1000
MEASURED = 1000
"""Points of a manifold by which its range along each axis is measured."""


@ranged("data set 'randman'")
@dataclass(frozen=True)
class Randman(Synthetic):
    """Each class is a random smooth manifold; a sample is a point of it, and each coordinate the time of one spike.

    Coordinate i of the point with inner coordinates z in [0, 1)^D is f_i(z), scaled to 0..1 over the manifold, where

        f_i(z) = prod_d sum_k a_idk k^-alpha sin(2 pi ((k - 1) b_idk z_d + c_idk)),   a, b, c uniform in 0..1.

    Every channel fires once in every sample. A rate tells nothing, and with `shuffled=true` nothing does.

    Args:
        manifolds: number of classes.
        channels: number of channels, the dimension of the space that the manifolds lie in.
        dimension: D, the dimension of the manifolds.
        alpha: smoothness, the exponent of the spectrum.
        length: steps of the trial.
        train, test: numbers of samples.
        seed: the seed of everything that is drawn.
        shuffled: whether the time steps of each channel are put into a random order, a control.

    Source: Zenke and Vogels 2021, Neural Computation 33:899, https://doi.org/10.1162/neco_a_01367, with the numbers of
    the authors' code. Deviation: coordinates are scaled by the range of a thousand points that are drawn for it, and
    not by that of the samples; a point beyond it takes the first or the last step.
    """

    manifolds: Classes = 10
    channels: Count = 20
    dimension: Annotated[int, Range("[1, 100]")] = 2
    alpha: Positive = 2.0
    length: Steps = 100
    name: ClassVar[str] = "randman"

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
        """The task is to classify samples, with one class per manifold."""
        return "classes", self.manifolds

    def sampler(self, random: np.random.RandomState) -> Draw:
        """Draw the manifolds, and give the function that draws one sample; the classes take turns."""
        manifolds = [self._parameters(random) for _ in range(self.manifolds)]
        ranges = []
        for parameters in manifolds:
            points = np.stack([self._point(random, parameters) for _ in range(MEASURED)])
            ranges.append((points.min(axis=0), points.max(axis=0)))

        def draw(random: np.random.RandomState, number: int) -> tuple[Bool[np.ndarray, "T inputs"], int]:
            label = number % self.manifolds
            low, high = ranges[label]
            place = (self._point(random, manifolds[label]) - low) / (high - low)
            times = np.clip(place * self.length, 0, self.length - 1).astype(np.int64)
            return np.arange(self.length)[:, None] == times, label

        return draw

    def _parameters(self, random: np.random.RandomState) -> Float[np.ndarray, "3 channels dimension waves"]:
        waves = min(math.ceil(SMALLEST ** (-1 / self.alpha)), MOST_WAVES)
        parameters: np.ndarray = random.random_sample((3, self.channels, self.dimension, waves))
        parameters[0, :, :, 0] = 0.0  # the first wave is constant, an offset of the manifold
        return parameters

    def _point(
        self, random: np.random.RandomState, parameters: Float[np.ndarray, "3 channels dimension waves"]
    ) -> Float[np.ndarray, "channels"]:
        number = np.arange(parameters.shape[-1])
        amplitude, frequency, phase = parameters
        inner = random.random_sample((self.dimension, 1))
        waves = np.sin(2 * np.pi * (number * frequency * inner + phase))
        point: np.ndarray = (amplitude * waves / (number + 1.0) ** self.alpha).sum(axis=-1).prod(axis=-1)
        return point


ENTRY = Randman
