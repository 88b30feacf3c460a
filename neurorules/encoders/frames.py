"""Event counts as frames: one frame per step, one channel per polarity; by default every event is counted."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Shaped

from neurorules.contracts.encoder import EventArrays
from neurorules.contracts.series import Series
from neurorules.encoders._denoise import denoised
from neurorules.encoders._framing import Bins, MakeArray, build_frames, elapsed_us, kept_on_disk
from neurorules.encoders._shared import with_statistics
from neurorules.language.errors import UserError
from neurorules.language.ranges import NonNegative, Whole, ranged

VERSION = 1  # increase this when the same options give other frames, so that old files in the cache are not used
SHORTEST_BIN_MS = 1e-3  # events are timed in whole microseconds
FIT_CHUNK = 4096  # recordings per chunk, to save memory

log = logging.getLogger(__name__)


@ranged("encoder 'frames'")
@dataclass(frozen=True)
class Frames:
    """Counts of events, by default in T equal bins from each recording's first event to its last.

    Args:
        bin_ms: length of a bin in milliseconds, >= 0.001; the first bin starts at the recording's first event, and
            events after the last of T bins are counted in the last bin. 0 gives T equal bins over each recording.
        first_ms: only events within this time after the first one are counted, in milliseconds, and a message says how
            many are ignored. 0 counts all. The first saccade of N-MNIST ends near 100 ms.
        clip: whether frames contain 1 where there was an event, instead of the count.
        denoise_us: remove events whose four neighbouring pixels were silent for this time before, in microseconds
            (tonic's Denoise, which is slow but runs only once). 0 removes none.
    """

    bin_ms: NonNegative = 0.0
    first_ms: NonNegative = 0.0
    clip: bool = False
    denoise_us: Whole = 0
    statistics: Mapping[str, float] = field(default_factory=dict, init=False, hash=False)
    accepts: ClassVar[frozenset[str]] = frozenset({"events"})

    def __post_init__(self) -> None:
        if 0 < self.bin_ms < SHORTEST_BIN_MS:
            raise UserError(f"encoder 'frames': bin_ms is {self.bin_ms}. Give 0, or a number of at least 0.001")

    def fit(self, train: EventArrays | np.ndarray) -> Frames:
        """Count the events of the training recordings, and the events that `first_ms` ignores."""
        events = _as_events(train)
        total, left_out = int(events.offsets[-1]), 0
        if self.first_ms:
            for first in range(0, len(events), FIT_CHUNK):
                _, elapsed, _ = elapsed_us(events, first, min(first + FIT_CHUNK, len(events)))
                left_out += int((elapsed > self._keep_us).sum())
            share = 100.0 * left_out / max(total, 1)
            text = "frames: first_ms=%g leaves out %d of %d training events (%.1f %%)"
            log.warning(text, self.first_ms, left_out, total, share)
        return with_statistics(self, {"events": total, "events_left_out": left_out})

    def prepare(
        self, samples: EventArrays | np.ndarray, steps: int, cache: Path | None = None
    ) -> Shaped[np.ndarray, "N T P H W"]:
        """Count the events of all recordings into frames.

        Args:
            samples: event recordings.
            steps: number of time steps T, >= 1.
            cache: folder for the frames, or None to keep them in memory.

        Returns:
            Counts (N, T, P, H, W): a memory-mapped file, or an array in memory.

        Raises:
            UserError: the samples are images, `steps` is 0, or the disk is too full for the frames.
            MissingExtra: `denoise_us` is set, and tonic is not installed.
        """
        events = _as_events(samples)
        if steps < 1:
            raise UserError(f"encoder 'frames': {steps} steps hold no frame. Give --steps 1 or more")
        shape = (len(events), steps, *events.sensor)

        def counts(make: MakeArray) -> np.ndarray:
            source = denoised(events, self.denoise_us) if self.denoise_us else events
            return build_frames(source, Bins(steps, self.bin_ms * 1000.0, self._keep_us), make)

        if cache is None:
            return counts(lambda dtype: np.empty(shape, dtype))
        return kept_on_disk(cache, f"frames-{self._key(events, steps)}", shape, counts)

    def encode(self, batch: Shaped[torch.Tensor, "B T P H W"], steps: int, generator: torch.Generator) -> Series:
        """Turn counts into a series.

        Args:
            batch: counts (B, T, P, H, W) from `prepare`.
            steps: number of time steps T.
            generator: not used, because nothing is random.

        Returns:
            Counts, or 0 and 1 if they are clipped: (T, B, P, H, W) float32.

        Raises:
            UserError: the batch was prepared for another number of steps.
        """
        if batch.shape[1] != steps:
            raise UserError(f"encoder 'frames': made for {batch.shape[1]} steps, asked for {steps}. Prepare them anew")
        values = batch.transpose(0, 1).to(torch.float32).contiguous()
        return Series(values.clamp(max=1.0) if self.clip else values, constant=False)

    @property
    def _keep_us(self) -> float:
        """The latest time after a recording's first event at which events are counted, in microseconds."""
        return self.first_ms * 1000.0 if self.first_ms else math.inf

    def _key(self, events: EventArrays, steps: int) -> str:
        """A hash of everything that the frames depend on, for the name of their file. `clip` is not included, because
        it is applied when a batch is encoded."""
        parts = [VERSION, events.checksum, list(events.sensor), steps, self.bin_ms, self.first_ms, self.denoise_us]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _as_events(samples: EventArrays | np.ndarray) -> EventArrays:
    """Check that samples are event recordings and not images."""
    if isinstance(samples, np.ndarray):
        raise UserError("encoder 'frames' takes event recordings, and these are images. Write --encode constant")
    return samples


ENTRY = Frames
