"""Accumulation of evidence: on which side did more cues come (Bellec et al. 2020); drawn from a seed, no download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Bool

from neurorules.datasets._synthetic import Draw, Synthetic, in_steps
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, NonNegative, Positive, Range, ranged
from neurorules.language.settings import Task

SIDES = (0.3, 0.7)
"""Probability that a cue of a trial comes on the right: the one or the other for a whole trial."""
MOST_HZ = 1000.0


@ranged("data set 'evidence'")
@dataclass(frozen=True)
class Evidence(Synthetic):
    """Cues on the left or the right, a delay, and a signal to answer: 0 where more came on the left, 1 on the right.

    Each cue is a silence and `cue_ms` of spikes of one group of channels; then comes the delay, and then `recall_ms` in
    which a third group fires. A fourth group is noise throughout. The answer is scored in the recall alone:
    `--last-steps 150` of the 2,250 steps. Without it, the mean rate over the whole trial tells the answer, and no
    memory is needed. Shuffled time leaves the counts of the two sides, so the control of this task is a net without a
    long memory, `--neuron lif`, and not `shuffled=true`.

    Args:
        cues: how many come in a trial, an odd number.
        channels: number of channels in each of the four groups: left, right, recall, noise.
        cue_ms, silence_ms: length of a cue, and of the silence before each.
        delay_ms, recall_ms: length of the delay, and of the recall.
        dt_ms: length of a time step.
        rate_hz, noise_hz: of a channel whose group is on, and of the fourth group.
        train, test: numbers of samples.
        seed: the seed of everything that is drawn.
        shuffled: whether the time steps of each channel are put into a random order, a control.

    Source: Bellec et al. 2020, Nature Communications 11:3625, https://doi.org/10.1038/s41467-020-17236-y, after Morcos
    and Harvey 2016, with the numbers of the authors' code.
    """

    cues: Annotated[int, Range("[1, 1001]")] = 7
    channels: Count = 10
    cue_ms: Positive = 100.0
    silence_ms: NonNegative = 50.0
    delay_ms: NonNegative = 1050.0
    recall_ms: Positive = 150.0
    dt_ms: Positive = 1.0
    rate_hz: Positive = 40.0
    noise_hz: NonNegative = 10.0
    name: ClassVar[str] = "evidence"

    def __post_init__(self) -> None:
        if self.cues % 2 == 0:
            raise UserError(
                f"data set 'evidence': cues={self.cues} may come as often on either side. Give an odd number"
            )
        for what, rate in (("rate_hz", self.rate_hz), ("noise_hz", self.noise_hz)):
            if rate * self.dt_ms > MOST_HZ:
                raise UserError(
                    f"data set 'evidence': {what}={rate:g} is more than one spike in a step of {self.dt_ms:g} ms. "
                    f"Give at most {MOST_HZ / self.dt_ms:g}"
                )

    @property
    def steps(self) -> int:
        """The number of time steps T."""
        return self.cues * (self._in_steps("cue_ms") + self._in_steps("silence_ms")) + sum(
            self._in_steps(name) for name in ("delay_ms", "recall_ms")
        )

    @property
    def inputs(self) -> int:
        """Number of input channels: left, right, recall, noise."""
        return 4 * self.channels

    @property
    def targets(self) -> tuple[Task, int]:
        """The task is to tell two classes apart: the side with more cues."""
        return "classes", 2

    def sampler(self, random: np.random.RandomState) -> Draw:
        """Give the function that draws one sample."""
        silence, cue = self._in_steps("silence_ms"), self._in_steps("cue_ms")
        on = self.rate_hz * self.dt_ms / MOST_HZ
        quiet = np.zeros((self.steps, 4))
        quiet[-self._in_steps("recall_ms") :, 2] = on
        quiet[:, 3] = self.noise_hz * self.dt_ms / MOST_HZ

        def draw(random: np.random.RandomState, number: int) -> tuple[Bool[np.ndarray, "T inputs"], int]:
            right = random.random_sample(self.cues) < SIDES[random.randint(2)]
            chance = quiet.copy()
            for place, side in enumerate(right):
                first = place * (silence + cue) + silence
                chance[first : first + cue, int(side)] = on
            spikes = random.random_sample((self.steps, self.inputs)) < chance.repeat(self.channels, axis=1)
            return spikes, int(2 * right.sum() > self.cues)

        return draw

    def _in_steps(self, name: str) -> int:
        return in_steps(getattr(self, name), self.dt_ms, f"data set 'evidence': {name}")


ENTRY = Evidence
