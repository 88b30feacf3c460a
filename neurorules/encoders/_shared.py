"""Functions that several encoders share: copies with statistics, checks of images, and conversion to brightness."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Shaped

from neurorules.contracts.rows import Rows
from neurorules.language.errors import UserError

FULL_GREY = 255.0  # a uint8 pixel of this value is a brightness of 1
CHUNK_SAMPLES = 2048  # samples per chunk in sums of statistics, to save memory


E = TypeVar("E")
Images = Shaped[np.ndarray, "_ C H W"] | Rows
"""Images in one array, or selected rows of a large array."""


def with_statistics(encoder: E, statistics: Mapping[str, float | int]) -> E:
    """Copy a frozen encoder with new statistics.

    Args:
        encoder: the encoder, which is not changed.
        statistics: numbers by name.

    Returns:
        The copy, whose `statistics` are these numbers.
    """
    fitted = copy.copy(encoder)
    object.__setattr__(fitted, "statistics", {key: float(value) for key, value in statistics.items()})
    return fitted


def as_image_array(name: str, samples: Any) -> Images:
    """Check that samples are images.

    Args:
        name: the name of the encoder, for the message.
        samples: images or event recordings.

    Returns:
        The samples, (N, C, H, W).

    Raises:
        UserError: the samples are not images.
    """
    if not isinstance(samples, np.ndarray | Rows) or samples.ndim != 4:
        raise UserError(f"encoder '{name}' takes images (N, C, H, W), not these samples. Events need --encode frames")
    return samples


def brightness_chunks(images: Images) -> Iterator[Float[np.ndarray, "_"]]:
    """Yield the brightness of all pixels in float64, one flat array per chunk of samples."""
    scale = FULL_GREY if images.dtype == np.uint8 else 1.0
    for start in range(0, len(images), CHUNK_SAMPLES):
        yield images[start : start + CHUNK_SAMPLES].reshape(-1).astype(np.float64) / scale


def check_unit_range(name: str, images: Images) -> None:
    """Refuse images with pixels outside 0..1 (for uint8, 0..255).

    Args:
        name: the name of the encoder, for the message.
        images: (N, C, H, W).

    Raises:
        UserError: a pixel lies outside.
    """
    if images.dtype == np.uint8:
        return
    starts = range(0, len(images), CHUNK_SAMPLES)
    ends = [(part.min(), part.max()) for part in (images[start : start + CHUNK_SAMPLES] for start in starts)]
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    if low < 0.0 or high > 1.0:
        raise UserError(
            f"encoder '{name}' takes pixels in 0..1, found {low:g}..{high:g}. "
            "Scale the data, save it as uint8, or write --encode constant"
        )


def brightness(batch: Shaped[torch.Tensor, "*shape"]) -> Float[torch.Tensor, "*shape"]:
    """The brightness of pixels: uint8 is divided by 255 in float32, and floating-point values are unchanged."""
    return batch if batch.is_floating_point() else batch.to(torch.float32) / FULL_GREY
