"""Name or repeat a pattern of spikes after a silence; drawn from a seed, without a download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from jaxtyping import Bool

from neurorules.datasets._synthetic import Draw, Synthetic, with_noise
from neurorules.language.errors import UserError
from neurorules.language.ranges import BelowOne, Count, Range, Steps, Whole, ranged
from neurorules.language.settings import Task


@ranged("data set 'delayed_copy'")
@dataclass(frozen=True)
class DelayedCopy(Synthetic):
    """A pattern comes, then a silence, then a cue channel asks for it: `--last-steps LENGTH` scores what is answered.

    A sample has `length` steps of pattern, `delay` silent ones, and `length` in which the cue channel, the last one,
    fires at each step. Every channel of every template fires the same number of spikes, at other times, so the counts
    of all classes have one distribution, and with `shuffled=true` no net can tell them apart.

    Args:
        answer: `name`, which of the templates it was (a class); or `copy`, the spikes of a pattern that is drawn for
            each sample, step by step over the last `length` steps (task regression_per_step, one value per channel).
        templates: number of patterns to be told apart, where the answer is a name.
        channels: number of channels of the pattern.
        length: steps of the pattern, and of the answer.
        spikes: number of spikes of each channel in a pattern.
        delay: silent steps between pattern and cue.
        drop: probability that a spike of the template is missing in a sample (`answer=name`).
        noise: probability of a spike per step that comes to all channels at all times.
        train, test: numbers of samples.
        seed: the seed of everything that is drawn.
        shuffled: whether the time steps of each channel are put into a random order, a control.
    """

    answer: Literal["name", "copy"] = "name"
    templates: Annotated[int, Range("[2, 10000]")] = 8
    channels: Count = 10
    length: Steps = 20
    spikes: Count = 2
    delay: Whole = 20
    drop: BelowOne = 0.1
    noise: BelowOne = 0.01
    name: ClassVar[str] = "delayed_copy"

    def __post_init__(self) -> None:
        if self.spikes > self.length:
            raise UserError(
                f"data set 'delayed_copy': spikes={self.spikes} do not fit into length={self.length} steps. "
                "Give fewer spikes, or a longer pattern"
            )

    @property
    def steps(self) -> int:
        """The number of time steps T."""
        return 2 * self.length + self.delay

    @property
    def inputs(self) -> int:
        """Number of input channels, the cue the last."""
        return self.channels + 1

    @property
    def targets(self) -> tuple[Task, int]:
        """The templates as classes, or one value per channel at each step."""
        return ("classes", self.templates) if self.answer == "name" else ("regression_per_step", self.channels)

    def sampler(self, random: np.random.RandomState) -> Draw:
        """Draw the templates, and give the function that draws one sample; the classes take turns."""
        templates = [self._pattern(random) for _ in range(self.templates if self.answer == "name" else 0)]

        def draw(random: np.random.RandomState, number: int) -> tuple[Bool[np.ndarray, "T inputs"], Any]:
            spikes = np.zeros((self.steps, self.inputs), bool)
            label = number % self.templates
            pattern = templates[label] if templates else self._pattern(random)
            spikes[: self.length, :-1] = pattern
            spikes = with_noise(spikes, self.drop if templates else 0.0, self.noise, random)
            spikes[:, -1] = np.arange(self.steps) >= self.steps - self.length
            if templates:
                return spikes, label
            copy = np.zeros((self.steps, self.channels), np.float32)
            copy[-self.length :] = pattern
            return spikes, copy

        return draw

    def _pattern(self, random: np.random.RandomState) -> Bool[np.ndarray, "length channels"]:
        order: np.ndarray = random.random_sample((self.length, self.channels)).argsort(axis=0)
        return order < self.spikes


ENTRY = DelayedCopy
