"""One rank's share of a batch: which samples it learns from, and how much what it computes of them counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.network.layer import Masks
from neurorules.torch_path.process.ranks import Ranks


@dataclass(frozen=True)
class Share:
    """This rank's share of a batch that all ranks have whole: the samples from start to stop - 1. stop - 1 of a batch
    that all ranks have whole.

    A mean over the samples of the batch is the sum over ranks of `weight` times the mean over the samples of each.

    Args:
        ranks: that share the batch.
        samples: of the batch, B >= 1.
        start, stop: of this rank's samples.
        weight: of this rank's means, in (0, 1]; 1 in all.
    """

    ranks: Ranks
    samples: int
    start: int
    stop: int
    weight: float

    @classmethod
    def of(cls, ranks: Ranks, samples: int) -> Share:
        """This rank's share: the same number of samples for each rank, or one more for some.

        Args:
            ranks: that share the batch.
            samples: of the batch, B >= 1. Where they are fewer than ranks, each learns from all and counts alike.

        Returns:
            The share.
        """
        if samples < ranks.count:
            return cls(ranks, samples, 0, samples, 1 / ranks.count)
        start, stop = (number * samples // ranks.count for number in (ranks.rank, ranks.rank + 1))
        return cls(ranks, samples, start, stop, (stop - start) / samples)

    @property
    def own(self) -> int:
        """Number of this rank's samples, >= 1."""
        return self.stop - self.start

    @property
    def part_in_common(self) -> float:
        """The factor by which a change that every rank has made whole is multiplied, before it is divided by this
        rank's samples and weighted as means are, so that it counts once.
        """
        return self.own / (self.samples * self.ranks.count * self.weight)

    def drive(self, drive: Series) -> Series:
        """This rank's rows of what drives the network, (T, b, *input) or constant (b, *input)."""
        rows = slice(self.start, self.stop)
        return drive.like(drive.values[rows] if drive.constant else drive.values[:, rows])

    def masks(self, masks: Masks) -> Masks:
        """This rank's rows of masks that were drawn for the whole batch."""
        return {name: mask[self.start : self.stop] for name, mask in masks.items()}

    def total(self, value: Tensor) -> Tensor:
        """The sum over the batch of what was summed over this rank's samples, of the same shape on every rank."""
        return self.ranks.sums([value * (self.weight * self.samples / self.own)])[0]

    def means(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Means over the batch of means over this rank's samples, by name, the same names on every rank."""
        if not values:
            return {}
        names = sorted(values)  # a dictionary that was loaded may have another order
        return dict(zip(names, self.ranks.sums([values[name] * self.weight for name in names]), strict=True))
