"""Data sets that are drawn from a seed: spikes over time whose counts tell nothing, or little, of the target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Shaped

from neurorules.contracts.data_set import DataSet, content_checksum
from neurorules.language.errors import UserError
from neurorules.language.ranges import Range, Whole
from neurorules.language.settings import Task
from neurorules.runs.memory import check_room

Part = Literal["train", "test"]
Samples = Annotated[int, Range("[1, 10000000]")]
"""How many samples are drawn: more of them come from a slip of the keyboard."""
STREAMS = {"shared": 0, "train": 1, "test": 2}
SHUFFLE = 3
"""Added to the stream of a part, so that shuffling changes nothing else that is drawn."""

Draw = Callable[[np.random.RandomState, int], tuple[Bool[np.ndarray, "T inputs"], Any]]
"""Draws sample number n: its spikes, and its target as one number or an array."""


@dataclass(frozen=True, kw_only=True)
class Synthetic(ABC):
    """The options that all of these data sets have.

    Args:
        train, test: numbers of samples.
        seed: the seed of everything that is drawn; training and test samples are drawn from streams of their own.
        shuffled: a control: in every sample and channel the time steps are put into a random order, so that each
            channel keeps the number of its spikes and nothing else.
    """

    train: Samples = 1000
    test: Samples = 500
    seed: Whole = 0
    shuffled: bool = False
    name: ClassVar[str]

    @property
    @abstractmethod
    def steps(self) -> int:
        """The number of time steps T."""

    @property
    @abstractmethod
    def inputs(self) -> int:
        """The number of input channels I."""

    @property
    @abstractmethod
    def targets(self) -> tuple[Task, int]:
        """The task of the targets, and the number of classes or values."""

    @abstractmethod
    def sampler(self, random: np.random.RandomState) -> Draw:
        """Draw what all samples share, and give the function that draws one sample."""

    def own_steps(self, data_dir: Path | None = None) -> int:
        """The number of time steps, which the options decide."""
        return self.steps

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Draw all samples; `data_dir` is not used.

        Raises:
            UserError: options that contradict each other, or more samples than the memory takes.
        """
        steps, inputs = self.steps, self.inputs
        size = (self.train + self.test) * steps * inputs
        check_room(f"data set '{self.name}' of {self.train + self.test} samples", size, "Give fewer samples, train=N")
        draw = self.sampler(self._random("shared"))
        parts = [array for part in ("train", "test") for array in self._part(part, draw)]
        task, outputs = self.targets
        return DataSet(
            name=self.name,
            kind="sequences",
            shape=(1, 1, inputs),
            classes=outputs,
            train=parts[0],
            train_labels=parts[1],
            test=parts[2],
            test_labels=parts[3],
            checksum=content_checksum(*parts),
            default_encoder="sequence",
            steps=steps,
            origin=f"drawn from seed {self.seed}" + (", time shuffled within channels" if self.shuffled else ""),
            task=task,
        )

    def _part(self, part: Part, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
        count = self.train if part == "train" else self.test
        random, order = self._random(part), self._random(part, SHUFFLE)
        samples = np.zeros((count, self.steps, 1, 1, self.inputs), np.uint8)
        targets = []
        for number in range(count):
            spikes, target = draw(random, number)
            samples[number, :, 0, 0] = shuffled_in_time(spikes, order) if self.shuffled else spikes
            targets.append(target)
        kind = np.int64 if self.targets[0] in ("classes", "classes_per_step") else np.float32
        return samples, np.asarray(targets, kind)

    def _random(self, stream: str, shift: int = 0) -> np.random.RandomState:
        # NumPy promises this older stream never to change, unlike that of default_rng.
        return np.random.RandomState([self.seed, STREAMS[stream] + shift])


def shuffled_in_time(
    spikes: Shaped[np.ndarray, "T inputs"], random: np.random.RandomState
) -> Shaped[np.ndarray, "T inputs"]:
    """The time steps of each channel in a random order of its own."""
    return np.take_along_axis(spikes, random.random_sample(spikes.shape).argsort(axis=0), axis=0)


def with_noise(
    spikes: Bool[np.ndarray, "T inputs"], drop: float, noise: float, random: np.random.RandomState
) -> Bool[np.ndarray, "T inputs"]:
    """Spikes of which each is lost with probability `drop`, among others that come with probability `noise` per step.

    Args:
        spikes: those of a template.
        drop, noise: probabilities.
        random: what is drawn from.
    """
    remaining: np.ndarray = spikes & (random.random_sample(spikes.shape) >= drop)
    return remaining | (random.random_sample(spikes.shape) < noise)


def in_steps(milliseconds: float, dt_ms: float, what: str) -> int:
    """The number of time steps that a time takes.

    Args:
        milliseconds: the time.
        dt_ms: length of a step.
        what: how the error names the time, such as "data set 'evidence': cue_ms".

    Raises:
        UserError: it is no whole number of steps.
    """
    steps = round(milliseconds / dt_ms)
    if abs(steps * dt_ms - milliseconds) > 1e-6 * dt_ms or (steps == 0 and milliseconds > 0):
        raise UserError(f"{what} is {milliseconds:g}, no whole number of steps of {dt_ms:g} ms. Give a multiple of it")
    return steps
