"""Rate code: each pixel spikes at each step with a probability that is proportional to its brightness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Shaped

from neurorules.contracts.series import Series
from neurorules.encoders._shared import Images, as_image_array, brightness, check_unit_range, with_statistics
from neurorules.language.ranges import Range, ranged


@ranged("encoder 'poisson'")
@dataclass(frozen=True)
class Poisson:
    """P(spike) = max_rate * pixel, independently at each step; in the limit of short steps this is a Poisson train.

    Args:
        max_rate: probability per step that a pixel of full brightness spikes, in (0, 1].
    """

    max_rate: Annotated[float, Range("(0, 1]")] = 1.0
    statistics: Mapping[str, float] = field(default_factory=dict, init=False, hash=False)
    accepts: ClassVar[frozenset[str]] = frozenset({"images"})

    def fit(self, train: Any) -> Poisson:
        """Check that the training pixels are in 0..1; nothing is measured.

        Raises:
            UserError: the samples are not images, or a pixel is outside 0..1.
        """
        check_unit_range("poisson", as_image_array("poisson", train))
        return with_statistics(self, {})

    def prepare(self, samples: Any, steps: int, cache: Path | None = None) -> Images:
        return as_image_array("poisson", samples)

    def encode(self, batch: Shaped[torch.Tensor, "B C H W"], steps: int, generator: torch.Generator) -> Series:
        """Draw spikes from the brightness of pixels.

        The draws are made on the generator's device, so that a generator on the CPU gives the same spikes everywhere.

        Args:
            batch: pixels (B, C, H, W); a brightness outside 0..1 saturates.
            steps: number of time steps T, >= 1.
            generator: the only source of random numbers.

        Returns:
            Spikes 0 or 1, (T, B, C, H, W).
        """
        probability = brightness(batch) * self.max_rate
        draws = torch.rand(
            (steps, *batch.shape), generator=generator, device=generator.device, dtype=probability.dtype
        ).to(batch.device)
        return Series((draws < probability).to(probability.dtype), constant=False)


ENTRY = Poisson
