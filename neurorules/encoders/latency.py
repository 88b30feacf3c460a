"""Latency code: each pixel spikes once, and brighter pixels spike earlier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float, Shaped

from neurorules.contracts.series import Series
from neurorules.encoders._shared import Images, as_image_array, brightness, check_unit_range, with_statistics
from neurorules.language.ranges import Positive, Range, ranged

EPSILON = 1e-7  # keeps the logarithm finite for a pixel at the threshold (snnTorch's default `epsilon`)


@ranged("encoder 'latency'")
@dataclass(frozen=True)
class Latency:
    """A pixel of brightness x spikes once, t steps after the first step; a pixel below `threshold` is silent.

    linear: t = tau (1 - x).  log: t = tau ln(x / (x - threshold)), the charging time of a leaky integrator.

    Args:
        form: linear or log.
        threshold: smallest brightness that spikes, in (0, 1).
        normalise: whether tau is chosen so that the latest possible spike falls on the last step.
        tau: time constant in steps, > 0, if `normalise` is false; spikes after the last step are moved to the last
            step.

    Source: Eshraghian et al. 2023, snnTorch `spikegen.latency` (clip=True). Deviations: snnTorch normalises the log
        form by the latest spike of the batch; here it is the latest possible spike, so that no sample depends on its
        batch (the two are equal if a batch contains a dark pixel). snnTorch refuses spikes after the last step.
    """

    form: Literal["linear", "log"] = "linear"
    threshold: Annotated[float, Range("(0, 1)")] = 0.01
    normalise: bool = True
    tau: Positive = 1.0
    statistics: Mapping[str, float] = field(default_factory=dict, init=False, hash=False)
    accepts: ClassVar[frozenset[str]] = frozenset({"images"})

    def fit(self, train: Any) -> Latency:
        """Check that the training pixels are in 0..1; nothing is measured.

        Raises:
            UserError: the samples are not images, or a pixel is outside 0..1.
        """
        check_unit_range("latency", as_image_array("latency", train))
        return with_statistics(self, {})

    def prepare(self, samples: Any, steps: int, cache: Path | None = None) -> Images:
        return as_image_array("latency", samples)

    def encode(self, batch: Shaped[torch.Tensor, "B C H W"], steps: int, generator: torch.Generator) -> Series:
        """Turn pixels into one spike each; brighter pixels spike earlier.

        Args:
            batch: pixels (B, C, H, W).
            steps: number of time steps T, >= 1.
            generator: not used, because nothing is random.

        Returns:
            Spikes 0 or 1, at most one per pixel: (T, B, C, H, W).
        """
        pixels = brightness(batch)
        step = self._time(pixels, steps - 1).round().clamp(0, steps - 1)
        clock = torch.arange(steps, device=batch.device, dtype=step.dtype).reshape(-1, *[1] * batch.ndim)
        spikes = (clock == step) & (pixels >= self.threshold)
        return Series(spikes.to(pixels.dtype), constant=False)

    def _time(self, pixels: Float[torch.Tensor, "B C H W"], last: int) -> Float[torch.Tensor, "B C H W"]:
        """The spike times in steps before rounding; `last` is the index of the last step."""
        if self.form == "linear":
            return (1.0 - pixels) * (last if self.normalise else self.tau)
        dimmest = pixels.new_tensor(self.threshold + EPSILON)  # its spike is exactly at `last`
        charged = self._charging_time(torch.maximum(pixels, dimmest))
        return charged * last / self._charging_time(dimmest) if self.normalise else charged * self.tau

    def _charging_time(self, pixels: Float[torch.Tensor, "*shape"]) -> Float[torch.Tensor, "*shape"]:
        """The charging time ln(x / (x - threshold)) of a leaky integrator, for pixels x above the threshold."""
        return torch.log(pixels / (pixels - self.threshold))


ENTRY = Latency
