"""Small random images with faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.contracts.data_set import DataSet, content_checksum


@dataclass(frozen=True)
class WrongDataSet:
    """Forty samples of four classes, unless there is a fault."""

    fault: str = "none"

    def load(self, data_dir: Path | None = None) -> Any:
        if self.fault == "no_data_set":
            return {}
        random = np.random.default_rng(None if self.fault == "unstable" else 3)
        images = random.integers(0, 255, (40, 1, 4, 5), dtype=np.uint8)
        labels = np.arange(40) % 4
        if self.fault == "labels":
            labels = labels + 1
        if self.fault == "leak":
            images[35:] = images[:5]
        shape = (1, 5, 4) if self.fault == "shape" else (1, 4, 5)
        encoder = "frames" if self.fault == "encoder" else "constant"
        return DataSet(
            "wrong", "images", shape, 4, images[:30], labels[:30], images[30:], labels[30:],
            content_checksum(images, labels), encoder,
        )  # fmt: skip


ENTRY = WrongDataSet
