"""A constant current with faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from neurorules.contracts.series import Series
from neurorules.encoders._shared import with_statistics
from neurorules.encoders.constant import Constant


@dataclass(frozen=True)
class WrongEncoder(Constant):
    """Standardised pixels, unless there is a fault."""

    fault: str = "none"
    accepts: ClassVar[frozenset[str]] = frozenset({"images"})

    def fit(self, train: np.ndarray) -> Any:
        fitted = super().fit(train)
        if self.fault == "fit_changes_it":
            object.__setattr__(self, "statistics", fitted.statistics)
        if self.fault == "not_plain":
            object.__setattr__(fitted, "statistics", {k: np.float32(v) for k, v in fitted.statistics.items()})
        return fitted

    def prepare(self, samples: np.ndarray, steps: int, cache: Path | None = None) -> np.ndarray:
        if self.fault == "fits_to_test":
            object.__setattr__(self, "statistics", Constant().fit(samples).statistics)
        if self.fault == "takes_all":
            return samples
        prepared = super().prepare(samples, steps, cache)
        if self.fault == "order":
            return np.sort(prepared, axis=0)
        if self.fault == "cache" and cache is not None:
            kept = cache / "kept.npy"
            if not kept.exists():
                np.save(kept, prepared)
            return np.load(kept)
        return prepared

    def encode(self, batch: torch.Tensor, steps: int, generator: torch.Generator) -> Series:
        drive = super().encode(batch, steps, generator)
        match self.fault:
            case "global_seed":
                return drive._replace(values=drive.values + torch.rand(()))
            case "shape":
                return drive._replace(values=drive.values.flatten(1))
            case "batch":
                return drive._replace(values=drive.values - drive.values.mean(0))
            case "constant_lie":
                return Series(drive.values.expand(steps, *drive.values.shape), True)
        return drive


@dataclass(frozen=True)
class TakesSounds(WrongEncoder):
    """An encoder of a kind of samples that there is not."""

    accepts: ClassVar[frozenset[str]] = frozenset({"sounds"})


def wrong_encoder(fault: str = "none") -> Any:
    """An encoder; its statistics come later."""
    return with_statistics(TakesSounds(fault=fault) if fault == "sounds" else WrongEncoder(fault=fault), {})


ENTRY = wrong_encoder
