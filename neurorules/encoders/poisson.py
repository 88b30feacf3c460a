"""Rate code: each pixel spikes at each step with a probability in proportion to its brightness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch

from neurorules.contracts.series import Series
from neurorules.encoders._shared import as_image_array, brightness, check_unit_range, with_statistics
from neurorules.language.ranges import Range, ranged


@ranged("encoder 'poisson'")
@dataclass(frozen=True)
class Poisson:
    """P(spike) = max_rate * pixel, drawn afresh at each step: a Bernoulli train, Poisson's in the limit of short steps.

    Args:
        max_rate: spikes a step of a pixel of full brightness, above 0 and at most 1.
    """

    max_rate: Annotated[float, Range("(0, 1]")] = 1.0
    statistics: Mapping[str, float] = field(default_factory=dict, init=False, hash=False)
    accepts: ClassVar[frozenset[str]] = frozenset({"images"})

    def fit(self, train: np.ndarray) -> Poisson:
        """The encoder as it is, once the training pixels are seen to lie in 0..1.

        Raises:
            UserError: no images, or pixels outside.
        """
        check_unit_range("poisson", as_image_array("poisson", train))
        return with_statistics(self, {})

    def prepare(self, samples: np.ndarray, steps: int, cache: Path | None = None) -> np.ndarray:
        """The images themselves."""
        return as_image_array("poisson", samples)

    def encode(self, batch: torch.Tensor, steps: int, generator: torch.Generator) -> Series:
        """(B, C, H, W) pixels to spikes (T, B, C, H, W), 0 or 1; brightness beyond 0..1 saturates.

        The draws are made on the generator's device: a generator on the CPU gives the same spikes on every device.
        """
        probability = brightness(batch) * self.max_rate
        draws = torch.rand(
            (steps, *batch.shape), generator=generator, device=generator.device, dtype=probability.dtype
        ).to(batch.device)
        return Series((draws < probability).to(probability.dtype), constant=False)


ENTRY = Poisson
