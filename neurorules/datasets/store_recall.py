"""Keep the bit that came with a command to store it until it is asked for (Bellec et al. 2018); drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Bool, Int

from neurorules.datasets._synthetic import Draw, Synthetic, in_steps
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, Positive, Range, ranged
from neurorules.language.settings import Task

MOST_HZ = 1000.0
NOTHING, STORE, RECALL = range(3)


@ranged("data set 'store_recall'")
@dataclass(frozen=True)
class StoreRecall(Synthetic):
    """A bit in each symbol, now and then a command to store it, and at the end a command to recall it: the class.

    Four groups of channels stand for 0, 1, store and recall. In every symbol but a recall the group of one bit is on,
    and with a store its group too. While nothing is stored the next symbol is a store with probability `change`, and
    while something is, a recall. The last symbol is a recall, and its answer is the class: `--last-steps 200` scores
    it, of 2,400 steps. Of all bits of a trial as many are 0 as are 1, or one more of either, whatever was stored, so
    counts tell nothing; with `shuffled=true` nothing does.

    Args:
        symbols: number of symbols, the last recall included.
        symbol_ms: length of a symbol.
        dt_ms: length of a time step.
        channels: number of channels in each of the four groups.
        rate_hz: of a channel whose group is on.
        change: probability of a store, and of a recall, per symbol.
        train, test: numbers of samples.
        seed: the seed of everything that is drawn.
        shuffled: whether the time steps of each channel are put into a random order, a control.

    Source: Bellec et al. 2018, NeurIPS, https://arxiv.org/abs/1803.09574, with the numbers of the authors' code.
    Deviations: the answer to the last recall alone is scored, all trials end in one, and bits are balanced.
    """

    symbols: Annotated[int, Range("[3, 10000]")] = 12
    symbol_ms: Positive = 200.0
    dt_ms: Positive = 1.0
    channels: Count = 25
    rate_hz: Positive = 50.0
    change: Annotated[float, Range("[0.001, 0.999]")] = 1 / 7
    name: ClassVar[str] = "store_recall"

    def __post_init__(self) -> None:
        if self.rate_hz * self.dt_ms > MOST_HZ:
            raise UserError(
                f"data set 'store_recall': rate_hz={self.rate_hz:g} is more than one spike in a step of "
                f"{self.dt_ms:g} ms. Give at most {MOST_HZ / self.dt_ms:g}"
            )

    @property
    def steps(self) -> int:
        """The number of time steps T."""
        return self.symbols * self._symbol_steps

    @property
    def inputs(self) -> int:
        """Number of input channels: 0, 1, store, recall."""
        return 4 * self.channels

    @property
    def targets(self) -> tuple[Task, int]:
        """The task is to recall the stored bit, as one of two classes."""
        return "classes", 2

    def sampler(self, random: np.random.RandomState) -> Draw:
        """Give the function that draws one sample; the classes alternate."""
        chance_on = self.rate_hz * self.dt_ms / MOST_HZ

        def draw(random: np.random.RandomState, number: int) -> tuple[Bool[np.ndarray, "T inputs"], int]:
            label = number % 2
            commands = self._commands(random)
            on = np.zeros((self.symbols, 4))
            values = np.flatnonzero(commands != RECALL)
            on[values, self._bits(commands[values], label, random)] = 1.0
            on[:, 2], on[:, 3] = commands == STORE, commands == RECALL
            chance = (on * chance_on).repeat(self._symbol_steps, axis=0).repeat(self.channels, axis=1)
            return random.random_sample(chance.shape) < chance, label

        return draw

    def _commands(self, random: np.random.RandomState) -> Int[np.ndarray, "symbols"]:
        """The command of each symbol. Sequences are drawn until something is stored before the last symbol."""
        while True:
            commands, stored = np.zeros(self.symbols, np.int64), False
            for place in range(self.symbols - 1):
                if random.random_sample() < self.change:
                    commands[place] = RECALL if stored else STORE
                    stored = not stored
            if stored:
                commands[-1] = RECALL
                return commands

    @staticmethod
    def _bits(
        commands: Int[np.ndarray, "values"], label: int, random: np.random.RandomState
    ) -> Int[np.ndarray, "values"]:
        """A bit for each symbol that shows one: the last that is stored is the label, and half of all are 1."""
        place = int(np.flatnonzero(commands == STORE)[-1])
        ones = (len(commands) + random.randint(2)) // 2 - label
        others = random.permutation(np.arange(len(commands) - 1) < ones).astype(np.int64)
        return np.insert(others, place, label)

    @property
    def _symbol_steps(self) -> int:
        return in_steps(self.symbol_ms, self.dt_ms, "data set 'store_recall': symbol_ms")


ENTRY = StoreRecall
