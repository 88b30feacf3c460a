"""A DataLoader as a source of samples: read once, in the order of its data set, however it shuffles and cuts."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    default_collate,
)

from neurorules.language.errors import UserError


def in_own_order(loader: DataLoader[Any], where: str) -> Any:
    """The samples of a loader for somebody who cuts and shuffles them himself.

    A loader that shuffles, over all samples or over a subset, is read in the order of its data set, so that equal data
    have equal bits whatever was drawn; the batch that `drop_last` would leave out is read as well. Where the loader
    stacks samples in the usual way, they are taken one by one, so that those it cannot stack (events) can be read.
    A loader with a sampler of another kind is gone through as it is.

    Args:
        loader: the user's loader.
        where: how an error names it.

    Returns:
        A loader that yields batches or samples, or a list-like data set; the user's loader is as it was.

    Raises:
        UserError: `drop_last` leaves nothing of it.
    """
    dataset = loader.dataset
    if isinstance(dataset, IterableDataset) or type(loader.batch_sampler) is not BatchSampler:
        return loader
    if loader.drop_last and not len(loader):
        raise UserError(
            f"{where}: the DataLoader yields no batch: drop_last leaves out a batch smaller than {loader.batch_size}, "
            f"and there are {len(loader.sampler)} samples. Use drop_last=False, or a smaller batch_size"  # type: ignore[arg-type]
        )
    if isinstance(loader.sampler, SubsetRandomSampler):
        dataset = Subset(dataset, sorted(map(int, loader.sampler.indices)))
    elif not isinstance(loader.sampler, RandomSampler | SequentialSampler):
        return loader
    usual = loader.collate_fn is default_collate
    if usual and not loader.num_workers:
        return dataset
    return DataLoader(
        dataset,
        batch_size=None if usual else loader.batch_size,
        collate_fn=_unchanged if usual else loader.collate_fn,
        num_workers=loader.num_workers,
        generator=torch.Generator(),
    )


def _unchanged(sample: Any) -> Any:
    return sample
