"""Latency code: each pixel spikes once, and the brighter it is the earlier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch

from neurorules.contracts.series import Series
from neurorules.encoders._shared import as_image_array, brightness, check_unit_range, with_statistics
from neurorules.language.ranges import Positive, Range, ranged

EPSILON = 1e-7  # keeps the logarithm finite for a pixel at the threshold (snnTorch's default `epsilon`)


@ranged("encoder 'latency'")
@dataclass(frozen=True)
class Latency:
    """Time to the first spike of a pixel x, in steps from 0; a pixel below `threshold` stays silent.

    linear: t = tau (1 - x).  log: t = tau ln(x / (x - threshold)), a leaky integrator charged by the current x.

    Args:
        form: linear | log.
        threshold: least brightness that spikes, above 0 and below 1.
        normalise: true chooses tau so that the latest possible spike falls on the last step.
        tau: time constant in steps where normalise=false; spikes later than the last step fall on it.

    Source: Eshraghian et al. 2023, snnTorch `spikegen.latency` (clip=True). Deviations: its log form is normalised by
    the batch's latest spike, ours by the latest possible one, so that no sample depends on its batch (equal wherever a
    batch holds a dark pixel); it refuses spikes beyond the last step.
    """

    form: Literal["linear", "log"] = "linear"
    threshold: Annotated[float, Range("(0, 1)")] = 0.01
    normalise: bool = True
    tau: Positive = 1.0
    statistics: Mapping[str, float] = field(default_factory=dict, init=False, hash=False)
    accepts: ClassVar[frozenset[str]] = frozenset({"images"})

    def fit(self, train: np.ndarray) -> Latency:
        """The encoder as it is, once the training pixels are seen to lie in 0..1.

        Raises:
            UserError: no images, or pixels outside.
        """
        check_unit_range("latency", as_image_array("latency", train))
        return with_statistics(self, {})

    def prepare(self, samples: np.ndarray, steps: int, cache: Path | None = None) -> np.ndarray:
        """The images themselves."""
        return as_image_array("latency", samples)

    def encode(self, batch: torch.Tensor, steps: int, generator: torch.Generator) -> Series:
        """(B, C, H, W) pixels to spikes (T, B, C, H, W), at most one a pixel; nothing is drawn."""
        pixels = brightness(batch)
        step = self._time(pixels, steps - 1).round().clamp(0, steps - 1)
        clock = torch.arange(steps, device=batch.device, dtype=step.dtype).reshape(-1, *[1] * batch.ndim)
        spikes = (clock == step) & (pixels >= self.threshold)
        return Series(spikes.to(pixels.dtype), constant=False)

    def _time(self, pixels: torch.Tensor, last: int) -> torch.Tensor:
        """Spike times in steps, not yet rounded, (B, C, H, W)."""
        if self.form == "linear":
            return (1.0 - pixels) * (last if self.normalise else self.tau)
        dimmest = pixels.new_tensor(self.threshold + EPSILON)  # in the pixels' own precision: its spike is exactly last
        charged = self._charging_time(torch.maximum(pixels, dimmest))
        return charged * last / self._charging_time(dimmest) if self.normalise else charged * self.tau

    def _charging_time(self, pixels: torch.Tensor) -> torch.Tensor:
        """ln(x / (x - threshold)), for pixels above the threshold."""
        return torch.log(pixels / (pixels - self.threshold))


ENTRY = Latency
