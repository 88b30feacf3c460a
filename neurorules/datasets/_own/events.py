"""Events of a user, structured arrays with any order of fields, as recordings on one sensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neurorules.contracts.data_set import Recordings, content_checksum
from neurorules.datasets._own.growing import Growing
from neurorules.language.errors import UserError

FIELDS = {"x": ("x",), "y": ("y",), "t": ("t", "ts", "timestamp", "time"), "p": ("p", "pol", "polarity")}
"""Names of the fields of an event, by what they hold. x and t must be there; y is missing where the sensor is a row,
and p where events have no polarity."""
LARGEST = np.iinfo(np.uint16).max
LONGEST_US = np.iinfo(np.int32).max


class Columns(NamedTuple):
    """The events of one sample: x, y (E,) uint16; polarity (E,) uint8 or None; t_us (E,) int32 from the first event."""

    x: np.ndarray
    y: np.ndarray
    polarity: np.ndarray | None
    t_us: np.ndarray


def columns_of(events: np.ndarray, where: str) -> Columns:
    """The fields of a structured array of events, checked.

    Args:
        events: (E,) with fields as `FIELDS` names them; times in whole microseconds; polarities 0 and 1, -1 and 1, or
            false and true.
        where: how an error names the sample.

    Raises:
        UserError: a field is missing or holds something else.
    """
    names = events.dtype.names or ()
    place = {key: next((n for n in names if n.lower() in words), None) for key, words in FIELDS.items()}
    if place["x"] is None or place["t"] is None or events.ndim != 1:
        raise UserError(
            f"{where}: an array of events with the fields {', '.join(names)} and the shape {events.shape}. Give (E,) "
            "with the fields x, y, t and p, in any order; y and p may be missing"
        )
    whole = {key: _whole(events[name], f"{where}, field {name}") for key, name in place.items() if name is not None}
    y = whole.get("y", np.zeros(len(events), np.int64))
    for name, values in (("x", whole["x"]), ("y", y)):
        if values.size and (values.min() < 0 or values.max() > LARGEST):
            worst = int(values.min() if values.min() < 0 else values.max())
            raise UserError(f"{where}: an event at {name}={worst} lies outside every sensor. Check the fields")
    t = whole["t"] - whole["t"].min() if len(events) else whole["t"]
    if t.size and t.max() > LONGEST_US:
        raise UserError(f"{where}: lasts {int(t.max())} us, longer than 2^31. Give times in microseconds, or cut it")
    polarity = None
    if "p" in whole:
        polarity = np.where(whole["p"] == -1, 0, whole["p"])
        if polarity.size and (polarity.min() < 0 or polarity.max() > 255):
            raise UserError(f"{where}: polarities run {polarity.min()}..{polarity.max()}. Give 0 and 1, or -1 and 1")
        polarity = polarity.astype(np.uint8)
    return Columns(whole["x"].astype(np.uint16), y.astype(np.uint16), polarity, t.astype(np.int32))


def _whole(values: np.ndarray, where: str) -> np.ndarray:
    if values.dtype.kind in "bui":
        return values.astype(np.int64)
    if values.dtype.kind == "f" and np.isfinite(values).all() and np.array_equal(values, np.floor(values)):
        return values.astype(np.int64)
    advice = "Give times in whole microseconds" if where.split()[-1] in FIELDS["t"] else "Give whole numbers"
    raise UserError(f"{where} holds values that are not whole. {advice}")


class Gathering:
    """Events of many samples on their way into flat arrays, which lie on the disk where they are large."""

    def __init__(self) -> None:
        self.x, self.y, self.polarity, self.t_us = (Growing() for _ in range(4))
        self.counts = [0]
        self.polarities: bool | None = None

    def add(self, samples: Sequence[np.ndarray], where: str) -> None:
        """Add the samples of one more batch.

        Raises:
            UserError: see `columns_of`; or some samples have a polarity and others none.
        """
        for array in samples:
            name = f"{where}, sample {len(self.counts) - 1}"
            columns = columns_of(array, name)
            has = columns.polarity is not None
            if self.polarities is not None and has != self.polarities:
                raise UserError(
                    f"{name}: events {'have a' if has else 'have no'} polarity, unlike those before. "
                    "Make all samples alike"
                )
            self.polarities = has
            for growing, values in zip((self.x, self.y, self.t_us), (columns.x, columns.y, columns.t_us), strict=True):
                growing.add(values)
            self.polarity.add(np.zeros(len(array), np.uint8) if columns.polarity is None else columns.polarity)
            self.counts.append(len(array))

    def finish(self) -> Recordings:
        """All samples as recordings on the smallest sensor that holds them."""
        kinds = (np.uint16, np.uint16, np.uint8, np.int32)
        parts = (self.x, self.y, self.polarity, self.t_us)
        x, y, polarity, t_us = (part.finish(np.dtype(kind)) for part, kind in zip(parts, kinds, strict=True))
        offsets = np.cumsum(self.counts, dtype=np.int64)
        height, width = (int(values.max(initial=0)) + 1 for values in (y, x))
        channels = max(2, int(polarity.max(initial=0)) + 1) if self.polarities else 1
        digest = content_checksum(x, y, polarity, t_us, offsets)
        return Recordings(x, y, polarity, t_us, offsets, (channels, height, width), digest)


def on_sensor(recordings: Recordings, sensor: tuple[int, int, int], where: str) -> Recordings:
    """Give the recordings on a sensor of a given size.

    Args:
        recordings: on the smallest sensor that holds them.
        sensor: (P, H, W). P = 1 takes all events for one polarity.
        where: how an error names the part.

    Raises:
        UserError: an event lies outside the sensor; its sample is named.
    """
    polarity = np.zeros_like(recordings.polarity) if sensor[0] == 1 else recordings.polarity
    for name, values, size in zip("pyx", (polarity, recordings.y, recordings.x), sensor, strict=True):
        outside = values >= size
        if outside.any():
            event = int(np.argmax(outside))
            sample = int(np.searchsorted(recordings.offsets, event, side="right")) - 1
            raise UserError(
                f"{where}, sample {sample}: an event at {name}={values[event]} lies outside the sensor of "
                f"{sensor[2]} x {sensor[1]} pixels and {sensor[0]} polarities. Give "
                "sensor_size=(columns, rows, polarities), or leave such events out"
            )
    return Recordings(
        recordings.x, recordings.y, polarity, recordings.t_us, recordings.offsets, sensor, recordings.checksum
    )
