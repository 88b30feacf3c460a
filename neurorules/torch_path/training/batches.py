"""Samples for the learner: the split, the encoder, and batches in an order that a seed determines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.data_set import DataPlace, DataSet
from neurorules.contracts.rows import Rows, rows_of
from neurorules.contracts.series import Series
from neurorules.contracts.target import OF_VALUES
from neurorules.datasets import open_dataset, steps_of
from neurorules.disk.cache_folder import cache_folder
from neurorules.encoders import open_encoder
from neurorules.language.augmentation import Augmentation
from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.language.errors import UserError
from neurorules.torch_path.training.augmented import augmented

LARGEST_VALIDATION = 5000
"""The largest number of samples that are held out by default, which is a tenth of the samples."""


@dataclass(frozen=True)
class Part:
    """Encoded samples of one split.

    Args:
        samples: the samples that the encoder has prepared, indexable by an array of positions.
        labels: class indices (N,), int64, or the targets of another task.
        encoder: the encoder, which turns samples into a drive.
        steps: T.
    """

    samples: Any
    labels: np.ndarray
    encoder: Any
    steps: int

    def __len__(self) -> int:
        return len(self.labels)

    def batch(
        self, positions: np.ndarray, generator: torch.Generator, augmentation: Augmentation | None = None
    ) -> tuple[Series, Tensor]:
        """Encode some of the samples.

        Args:
            positions: the positions of the samples, (B,) whole numbers.
            generator: the generator of the encoder's draws, and of those of the augmentation.
            augmentation: how the samples change before they are encoded; None if they do not.

        Returns:
            The drive, (T, B, *input) or constant (B, *input), and class indices (B,), on the CPU.
        """
        raw = torch.from_numpy(np.ascontiguousarray(self.samples[positions]))
        if augmentation is not None:
            raw = augmented(raw, augmentation, generator)
        return self.encoder.encode(raw, self.steps, generator), torch.from_numpy(self.labels[positions])

    def currents(self, positions: np.ndarray) -> np.ndarray:
        """The constant currents of all samples, (N, inputs).

        Raises:
            UserError: the encoder produces spikes.
        """
        drive, _ = self.batch(positions, torch.Generator())
        if not drive.constant:
            raise UserError(
                "equations in continuous time take a constant current a sample, and this encoder makes spikes. "
                "Use --encode constant, or --path torch"
            )
        return drive.values.flatten(1).double().numpy()

    def in_order(self, size: int, generator: torch.Generator) -> Iterator[tuple[Series, Tensor]]:
        """All samples in their order.

        Args:
            size: the number of samples of a batch, >= 1; the last batch holds the rest.
            generator: the generator of the encoder's draws.

        Returns:
            An iterator over drive and class indices of each batch, as `batch` gives them.
        """
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))), generator)


@dataclass(frozen=True)
class TrainingData:
    """The data that a run may read while it learns.

    Args:
        source: the data set.
        train: training samples.
        validation: held-out training samples; None if no samples are held out.
    """

    source: DataSet
    train: Part
    validation: Part | None


@dataclass(frozen=True)
class Data(TrainingData):
    """A data set, split and encoded, with its test samples, which are read only at the end.

    Args:
        test: test samples.
    """

    test: Part


def settled_by_data(config: SettledConfig, source: DataSet) -> SettledConfig:
    """Fill in the open settings that a data set determines.

    Args:
        config: the configuration, filled in by its rule.
        source: the data set.

    Returns:
        The configuration with an encoder and a number of validation samples.
    """
    samples = min(config.limit or len(source.train_labels), len(source.train_labels))
    held_out = min(LARGEST_VALIDATION, samples // 10) if config.validation is None else config.validation
    return replace(config, encode=config.encode or source.default_encoder, validation=held_out)


def sizes_of(source: DataSet) -> dict[str, Any]:
    """The facts on a data set that a `Learner` takes, by keyword: shape of a sample, task, and number of classes or
    outputs.
    """
    name = "outputs" if source.task in OF_VALUES else "classes"
    return {"input_shape": source.shape, "task": source.task, name: source.classes}


def with_steps_of_data(config: TrainConfig, data_dir: DataPlace) -> TrainConfig:
    """Fill in the number of time steps, if the data determine it.

    Args:
        config: the settings, before a rule fills in those that are open.
        data_dir: the folder of the data.

    Returns:
        The settings, with that number.

    Raises:
        UserError: the user asks for another number, or the data cannot be read.
    """
    steps = steps_of(config.data, data_dir)
    if steps is None:
        return config
    _check_steps(steps, config.steps)
    return replace(config, steps=steps)


def _check_steps(steps: int | None, wanted: int | None) -> None:
    if steps is not None and wanted is not None and steps != wanted:
        raise UserError(
            f"the data have {steps} time steps per sample, and --steps asks for {wanted}. Leave --steps out"
        )


def load_data(config: SettledConfig, data_dir: DataPlace) -> Data:
    """Open, split and encode the data set of a configuration, test samples included.

    Args:
        config: the configuration, with data set, encoder, steps, and the number of samples held out.
        data_dir: the folder of the data sets; None for the default folder.

    Returns:
        Training, validation and test samples.

    Raises:
        UserError: as in `load_training_data`.
    """
    data = load_training_data(config, data_dir)
    source = data.source
    test = _part(data.train.encoder, config.steps, source.test, source.test_labels)
    return Data(source, data.train, data.validation, test)


def load_training_data(config: SettledConfig, data_dir: DataPlace) -> TrainingData:
    """Open, split and encode the data set of a configuration, without reading its test samples.

    The last samples of a permutation that depends only on the size of the data set are held out. They are the same for
    every seed, so choices that are made on them can be compared across seeds, without the test set.

    Args:
        config: the configuration, with data set, encoder, steps, and the number of samples held out.
        data_dir: the folder of the data sets; None for the default folder.

    Returns:
        Training and validation samples.

    Raises:
        UserError: unknown or damaged data, or more samples held out than there are.
    """
    source = open_dataset(config.data, data_dir)
    _check_steps(source.steps, config.steps)
    order = np.random.default_rng(len(source.train_labels)).permutation(len(source.train_labels))
    order = order[: config.limit] if config.limit is not None else order
    complete = settled_by_data(config, source)
    count = complete.validation or 0
    if count >= len(order):
        raise UserError(f"--validation {count} leaves nothing to train on: {len(order)} samples. Hold out fewer")
    chosen, held_out = np.sort(order[: len(order) - count]), np.sort(order[len(order) - count :])
    encoder = open_encoder(complete.encode or source.default_encoder, source.kind)
    encoder = encoder.fit(rows_of(source.train, chosen))
    used = np.sort(order)
    together: Any = None
    if source.kind == "events":  # one file in the cache serves any number of held-out samples
        together = encoder.prepare(rows_of(source.train, used), config.steps, cache_folder() / "frames")

    def part(places: np.ndarray) -> Part:
        labels = source.train_labels[places]
        if together is None:
            return _part(encoder, config.steps, rows_of(source.train, places), labels)
        return Part(Rows(together, np.searchsorted(used, places)), labels, encoder, config.steps)

    return TrainingData(source, part(chosen), part(held_out) if count else None)


def _part(encoder: Any, steps: int, samples: Any, labels: np.ndarray) -> Part:
    return Part(encoder.prepare(samples, steps, cache_folder() / "frames"), labels, encoder, steps)


def epoch_order(seed: int, epoch: int, samples: int) -> np.ndarray:
    """The order of one epoch's samples, a function of seed and epoch, so that a resumed run continues it.

    Args:
        seed: the seed of the run, >= 0.
        epoch: from 0.
        samples: the number of samples.

    Returns:
        A permutation of 0 .. samples - 1.
    """
    return np.random.default_rng((seed, epoch)).permutation(samples)
