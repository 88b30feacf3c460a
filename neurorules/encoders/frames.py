"""Events counted into frames: one frame a step, one channel a polarity; no event is lost."""

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

from neurorules.contracts.encoder import EventArrays
from neurorules.contracts.series import Series
from neurorules.encoders._denoise import denoised
from neurorules.encoders._framing import Binning, MakeArray, build_frames, elapsed_us, kept_on_disk
from neurorules.encoders._shared import with_statistics
from neurorules.language.errors import UserError
from neurorules.language.ranges import NonNegative, Whole, ranged

VERSION = 1  # raise it when the same options begin to give other frames: old files in the cache are then left alone
SHORTEST_BIN_MS = 1e-3  # events are timed in whole microseconds
FIT_CHUNK = 4096  # recordings looked at together, to spare memory

log = logging.getLogger(__name__)


@ranged("encoder 'frames'")
@dataclass(frozen=True)
class Frames:
    """Counts of events, by default in T equal bins from each recording's first event to its last.

    Args:
        bin_ms: length of a bin in milliseconds, from the recording's first event on; later events than T bins hold are
            counted in the last one. 0: T equal bins over each recording.
        first_ms: only events so soon after the first are counted (N-MNIST's first saccade ends near 100 ms), and one
            line says how many that leaves out. 0: all.
        clip: true gives 1 wherever an event was, instead of the count.
        denoise_us: drop events without a neighbour so near in time (tonic's Denoise; slow, done once). 0: none.
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
        """The encoder with the number of events in the training recordings, and of those that `first_ms` leaves out."""
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

    def prepare(self, samples: EventArrays | np.ndarray, steps: int, cache: Path | None = None) -> np.ndarray:
        """Frames (N, T, 2, H, W) of counts: a memory-mapped file in the folder `cache`, or in memory without one.

        Raises:
            UserError: no events, no step, or no room for them on the disk.
            MissingExtra: `denoise_us` without tonic.
        """
        events = _as_events(samples)
        if steps < 1:
            raise UserError(f"encoder 'frames': {steps} steps hold no frame. Give --steps 1 or more")
        shape = (len(events), steps, *events.sensor)

        def counts(make: MakeArray) -> np.ndarray:
            source = denoised(events, self.denoise_us) if self.denoise_us else events
            return build_frames(source, steps, self._binning(steps), self._keep_us, make)

        if cache is None:
            return counts(lambda dtype: np.empty(shape, dtype))
        return kept_on_disk(cache, f"frames-{self._key(events, steps)}", shape, counts)

    def encode(self, batch: torch.Tensor, steps: int, generator: torch.Generator) -> Series:
        """(B, T, 2, H, W) counts to (T, B, 2, H, W) float32; nothing is drawn.

        Raises:
            UserError: the batch was prepared for another number of steps.
        """
        if batch.shape[1] != steps:
            raise UserError(f"encoder 'frames': made for {batch.shape[1]} steps, asked for {steps}. Prepare them anew")
        values = batch.transpose(0, 1).to(torch.float32).contiguous()
        return Series(values.clamp(max=1.0) if self.clip else values, constant=False)

    @property
    def _keep_us(self) -> float:
        return self.first_ms * 1000.0 if self.first_ms else math.inf

    def _binning(self, steps: int) -> Binning:
        """Which bin an event falls into, from its time since the first event and its recording's length."""
        if self.bin_ms:
            return lambda elapsed, length: np.minimum(elapsed // (self.bin_ms * 1000.0), steps - 1).astype(np.int64)
        longest = math.floor(self._keep_us) + 1 if self.first_ms else np.iinfo(np.int64).max
        # elapsed < length, so the quotient is below `steps`; np.minimum only meets events that first_ms leaves out
        return lambda elapsed, length: np.minimum(elapsed * steps // np.minimum(length, longest), steps - 1)

    def _key(self, events: EventArrays, steps: int) -> str:
        """What the frames depend on, as a file name. `clip` is not among it: it is applied when a batch is encoded."""
        parts = [VERSION, events.checksum, list(events.sensor), steps, self.bin_ms, self.first_ms, self.denoise_us]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _as_events(samples: EventArrays | np.ndarray) -> EventArrays:
    if isinstance(samples, np.ndarray):
        raise UserError("encoder 'frames' takes event recordings, and these are images. Write --encode constant")
    return samples


ENTRY = Frames
