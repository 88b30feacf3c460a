"""Random changes of the pictures that are learned from, before they are encoded."""

from __future__ import annotations

import torch
from jaxtyping import Shaped
from torch import Tensor
from torch.nn import functional

from neurorules.contracts.data_set import DataSet
from neurorules.language.augmentation import Augmentation, parse_augmentation
from neurorules.language.errors import UserError


def augmentation_for(text: str | None, source: DataSet) -> Augmentation | None:
    """Parse the value of `--augment`, and check that it fits the samples.

    Args:
        text: as `parse_augmentation` takes it; None for none.
        source: the data set.

    Returns:
        The augmentation; None for none.

    Raises:
        UserError: an augmentation is unknown, the samples are sequences, or a shift is as large as the picture.
    """
    if text is None:
        return None
    how = parse_augmentation(text)
    side = min(source.shape[1:])
    if source.kind == "sequences" or side < 2:
        samples = "sequences" if source.kind == "sequences" else f"of shape {source.shape}"
        raise UserError(f"--augment {text} changes pictures, and these samples are {samples}. Leave it out")
    if how.pixels >= side:
        raise UserError(f"--augment {text} shifts by the whole picture of {source.shape[1:]} pixels. Shift by less")
    return how


def augmented(
    samples: Shaped[Tensor, "B *other H W"], how: Augmentation, generator: torch.Generator
) -> Shaped[Tensor, "B *other H W"]:
    """Change every sample at random; all channels and frames of a sample change alike.

    Args:
        samples: pictures or counted events, with height and width last.
        how: the augmentation.
        generator: the only source of random numbers, which are drawn on the CPU.

    Returns:
        New samples of the same shape and type.
    """
    count, (high, wide) = len(samples), samples.shape[-2:]
    down, right = torch.randint(-how.pixels, how.pixels + 1, (2, count), generator=generator)
    columns = torch.arange(wide).repeat(count, 1)
    if how.flip:
        turned = torch.rand(count, generator=generator) < 0.5
        columns[turned] = columns[turned].flip(1)
    rows = torch.arange(high) - down[:, None] + how.pixels
    columns = columns - right[:, None] + how.pixels
    whole = functional.pad(samples, (how.pixels,) * 4)
    each = torch.arange(count)[:, None, None]
    # Indexed dimensions that are apart come first in the result: (B, H, W, *other).
    picked = whole.flatten(1, -3)[each, :, rows[:, :, None], columns[:, None, :]]
    return picked.movedim(-1, 1).reshape(samples.shape).contiguous()
