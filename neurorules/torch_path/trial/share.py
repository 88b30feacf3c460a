"""One rank's share of a batch: the samples that it learns from, and the weight of their mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.network.layer import Masks
from neurorules.torch_path.process.ranks import Ranks


@dataclass(frozen=True)
class Share:
    """This rank's share of a batch that all ranks have whole: the samples from start to stop - 1.

    A mean over the samples of the batch is the sum over ranks of `weight` times the mean over the samples of each.

    Args:
        ranks: that share the batch.
        samples: the number of samples of the batch, B >= 1.
        start, stop: the first sample of this rank, and the sample after its last one.
        weight: the weight of this rank's means, in (0, 1]; the weights of all ranks sum to 1.
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
            samples: the number of samples of the batch, B >= 1. If there are fewer samples than ranks, each rank learns
                from all of them with the same weight.

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
        """The factor for a change that every rank has computed in full, so that it counts once after division by this
        rank's samples and weighting.
        """
        return self.own / (self.samples * self.ranks.count * self.weight)

    def drive(self, drive: Series) -> Series:
        """This rank's rows of the drive of the network, (T, b, *input) or constant (b, *input).

        Rows of a drive over time lie apart from each other. They are copied here, once, since each product that reads
        them would otherwise copy them.
        """
        rows = slice(self.start, self.stop)
        return drive.like(drive.values[rows] if drive.constant else drive.values[:, rows].contiguous())

    def masks(self, masks: Masks) -> Masks:
        """This rank's rows of masks that were drawn for the whole batch."""
        return {name: mask[self.start : self.stop] for name, mask in masks.items()}

    def total(self, value: Tensor) -> Tensor:
        """The sum over the batch, from the sums over each rank's samples, which have the same shape on every rank."""
        return self.ranks.sums([value * (self.weight * self.samples / self.own)])[0]

    def means(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Means over the batch of means over this rank's samples, by name, the same names on every rank."""
        if not values:
            return {}
        names = sorted(values)  # a loaded dictionary may have another order
        return dict(zip(names, self.ranks.sums([values[name] * self.weight for name in names]), strict=True))
