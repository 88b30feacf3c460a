"""Which of two cues came first: A then B, or B then A, with the same counts; drawn from a seed, without a download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from neurorules.datasets._synthetic import Draw, Synthetic
from neurorules.language.ranges import BelowOne, Count, Fraction, Steps, Whole, ranged
from neurorules.language.settings import Task


@ranged("data set 'order'")
@dataclass(frozen=True)
class Order(Synthetic):
    """Two groups of channels fire one after the other, and the class says which was first: 0 for A, 1 for B.

    A sample is one cue, a gap, the other cue and a pause. In both classes every channel fires with the same
    probability for the same number of steps, so spike counts have one distribution, and no code of rates can tell the
    classes apart. With `shuffled=true` nothing can.

    Args:
        cue: steps of each of the two cues.
        gap: silent steps between them.
        pause: silent steps after the second.
        channels: number of channels in each of the two groups.
        rate: probability of a spike per step of a channel whose group is on.
        noise: probability of a spike per step that comes to all channels at all times.
        train, test: numbers of samples.
        seed: the seed of everything that is drawn.
        shuffled: whether the time steps of each channel are put into a random order, a control.
    """

    cue: Steps = 20
    gap: Whole = 10
    pause: Whole = 10
    channels: Count = 10
    rate: Fraction = 0.2
    noise: BelowOne = 0.01
    name: ClassVar[str] = "order"

    @property
    def steps(self) -> int:
        """The number of time steps T."""
        return 2 * self.cue + self.gap + self.pause

    @property
    def inputs(self) -> int:
        """Number of input channels, A before B."""
        return 2 * self.channels

    @property
    def targets(self) -> tuple[Task, int]:
        """The task is to tell two classes apart: which cue came first."""
        return "classes", 2

    def sampler(self, random: np.random.RandomState) -> Draw:
        """Give the function that draws one sample; the classes alternate."""

        def draw(random: np.random.RandomState, number: int) -> tuple[Bool[np.ndarray, "T inputs"], int]:
            label = number % 2
            chance = np.full((self.steps, self.inputs), self.noise)
            for place, group in enumerate((label, 1 - label)):
                first = place * (self.cue + self.gap)
                part = slice(group * self.channels, (group + 1) * self.channels)
                chance[first : first + self.cue, part] = 1 - (1 - self.rate) * (1 - self.noise)
            return random.random_sample(chance.shape) < chance, label

        return draw


ENTRY = Order
