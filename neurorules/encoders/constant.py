"""Pixels as a constant current: the same real values at every step, which the first layer turns into spikes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Shaped

from neurorules.contracts.series import Series
from neurorules.encoders._shared import Images, as_image_array, brightness, brightness_chunks, with_statistics
from neurorules.language.errors import UserError


@dataclass(frozen=True)
class Constant:
    """current = (pixel - mean) / deviation, with one mean and one standard deviation over all training pixels.

    Args:
        standardise: whether to subtract the mean and divide by the deviation; with false, pixels are used directly
            (uint8 divided by 255).
    """

    standardise: bool = True
    statistics: Mapping[str, float] = field(default_factory=dict, init=False, hash=False)
    accepts: ClassVar[frozenset[str]] = frozenset({"images"})

    def fit(self, train: Any) -> Constant:
        """Measure `mean` and `deviation` of the training images (N, C, H, W).

        Raises:
            UserError: the samples are not images, or all pixels are equal and `standardise` is true.
        """
        images = as_image_array("constant", train)
        mean = math.fsum(float(part.sum()) for part in brightness_chunks(images)) / images.size
        squares = math.fsum(float(((part - mean) ** 2).sum()) for part in brightness_chunks(images))
        deviation = math.sqrt(squares / images.size)
        if self.standardise and not deviation > 0.0:
            raise UserError(
                f"encoder 'constant': all training pixels are {mean:g}, which cannot be standardised. "
                "Check the data, or write --encode constant:standardise=false"
            )
        return with_statistics(self, {"mean": mean, "deviation": deviation})

    def prepare(self, samples: Any, steps: int, cache: Path | None = None) -> Images:
        return as_image_array("constant", samples)

    def encode(self, batch: Shaped[torch.Tensor, "B C H W"], steps: int, generator: torch.Generator) -> Series:
        """Turn pixels into a constant current.

        Args:
            batch: pixels (B, C, H, W).
            steps: number of time steps; the current is the same for any.
            generator: not used, because nothing is random.

        Returns:
            A constant series (B, C, H, W).

        Raises:
            UserError: the encoder was not fitted.
        """
        values = brightness(batch)
        if self.standardise:
            if not self.statistics:
                raise UserError("encoder 'constant' has no mean and deviation yet. Call fit(training_images) first")
            values = (values - self.statistics["mean"]) / self.statistics["deviation"]
        return Series(values, constant=True)


ENTRY = Constant
