"""Cross-validation: the samples are divided into equal folds; one is tested, and the others are learned from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from jaxtyping import Shaped

from neurorules.contracts.data_set import DataSet, Recordings
from neurorules.language.errors import UserError
from neurorules.language.ranges import LARGEST, Range

DEAL_SEED = 0
Folds = Annotated[int, Range(f"[2, {LARGEST}]")]
"""A number of folds, >= 2: with one fold, the test would leave nothing to learn from."""


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation.

    Args:
        fold: which one is tested, 0 .. folds - 1.
        folds: how many there are, >= 2.
    """

    fold: int
    folds: int

    @classmethod
    def of_options(cls, data: str, fold: int | None, folds: int | None) -> Fold | None:
        """The fold that two options of a user name.

        Args:
            data: name of the data set, for messages.
            fold: the option `fold`, or None where it is left out.
            folds: the option `folds`, or None where it is left out.

        Returns:
            The fold, or None where both options are left out.

        Raises:
            UserError: one option is left out, or there is no such fold.
        """
        if fold is None and folds is None:
            return None
        if fold is None or folds is None:
            present, missing = ("folds", "fold") if fold is None else ("fold", "folds")
            raise UserError(
                f"data '{data}' is given {present} without {missing}. Write {data}:folds=5:fold=0, "
                "or let compare --folds 5 run through all of them"
            )
        if not 0 <= fold < folds:
            raise UserError(f"data '{data}' is given fold={fold} of folds={folds}. Give 0 to {folds - 1}")
        return cls(fold, folds)


def deal(numbers: Shaped[np.ndarray, "N"], labels: Shaped[np.ndarray, "N"], folds: int) -> Shaped[np.ndarray, "N"]:
    """Divide samples into folds of equal size for cross-validation. Samples of one number share a fold; classes and
    sizes are spread evenly.

    Numbers are sorted by how many samples they have and by the labels of these, in a random order (of a fixed seed)
    where those agree, and dealt out to the folds in turn. So folds differ by at most one number for each count of
    samples, and every class is shared evenly as far as its samples have numbers of their own.

    Args:
        numbers: (N,) whole numbers that name what must stay together.
        labels: (N,) classes of the samples.
        folds: number of folds, >= 2.

    Returns:
        The fold of each sample, (N,) int64, 0 .. folds - 1.

    Raises:
        UserError: there are fewer numbers than folds.
    """
    different, place = np.unique(numbers, return_inverse=True)
    if len(different) < folds:
        raise UserError(f"folds={folds} are more than the {len(different)} recordings there are. Ask for fewer")
    together: list[list[int]] = [[] for _ in different]
    for position, label in zip(place, labels, strict=True):
        together[position].append(int(label))
    random = np.random.RandomState(DEAL_SEED)  # NumPy promises this older stream never to change, unlike default_rng's
    drawn = random.permutation(len(different))
    order = sorted(range(len(different)), key=lambda one: (len(together[one]), together[one], drawn[one]))
    dealt = np.empty(len(different), dtype=np.int64)
    dealt[order] = np.arange(len(different)) % folds
    return dealt[place]


def cross_validated(
    data: DataSet, train_numbers: Shaped[np.ndarray, "N_train"], test_numbers: Shaped[np.ndarray, "N_test"], fold: Fold
) -> DataSet:
    """Make one fold of all recordings the test part of a data set, and the others its training part.

    Args:
        data: recordings in their published parts.
        train_numbers, test_numbers: whole numbers that name the recordings of each part, (N,); recordings with the same
            number stay together.
        fold: which fold is tested.

    Returns:
        A data set of the same recordings.

    Raises:
        UserError: there are more folds than numbers.
        TypeError: the samples are no recordings.
    """
    train, test = data.train, data.test
    if not (isinstance(train, Recordings) and isinstance(test, Recordings)):
        raise TypeError("folds are made of recordings")
    numbers = np.concatenate([train_numbers, test_numbers])
    labels = np.concatenate([data.train_labels, data.test_labels])
    tested = deal(numbers, labels, fold.folds) == fold.fold
    in_train, in_test = tested[: len(train_numbers)], tested[len(train_numbers) :]

    def part(of_train: Shaped[np.ndarray, "N_train"], of_test: Shaped[np.ndarray, "N_test"]) -> Recordings:
        return _joined(train.subset(np.flatnonzero(of_train)), test.subset(np.flatnonzero(of_test)))

    return replace(
        data,
        train=part(~in_train, ~in_test),
        train_labels=labels[~tested],
        test=part(in_train, in_test),
        test_labels=labels[tested],
        checksum=hashlib.sha256(f"{data.checksum}, {fold.folds} folds".encode()).hexdigest(),
    )


def _joined(first: Recordings, second: Recordings) -> Recordings:
    """The recordings of both, those of the first before those of the second."""
    return Recordings(
        x=np.concatenate([first.x, second.x]),
        y=np.concatenate([first.y, second.y]),
        polarity=np.concatenate([first.polarity, second.polarity]),
        t_us=np.concatenate([first.t_us, second.t_us]),
        offsets=np.concatenate([first.offsets, first.events + second.offsets[1:]]),
        sensor=first.sensor,
        checksum=hashlib.sha256(f"{first.checksum}{second.checksum}".encode()).hexdigest(),
    )
