"""Spikes of any type, order in memory, density and value come back; numpy and h5py alone can read them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from neurorules.traces.header import TraceHeader
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import TraceWriter

SHAPES = [(8, 12, 80), (3, 5, 7), (1, 1, 1), (4, 3, 9), (6, 5, 3)]


def write(path: Path, *batches: np.ndarray) -> Path:
    """A trace of the spikes (T, B, N) of one layer, some samples at a time."""
    with TraceWriter(path, TraceHeader("x", {"a": (batches[0].shape[2],)})) as writer:
        for spikes in batches:
            places = np.arange(spikes.shape[1])
            writer.append_batch(places, places, {"a": {"S": spikes}})
    return path


def check(path: Path, *batches: np.ndarray) -> None:
    """Each sample's spikes are those that were written."""
    expected = np.concatenate(batches, axis=1)
    with TraceReader(path) as reader:
        assert len(reader) == expected.shape[1] and reader.count("a") == np.count_nonzero(expected)
        for sample in reader:
            array = expected[:, sample.position]
            events = reader.events(sample.position, "a")
            np.testing.assert_array_equal(np.stack([events.t, events.neuron]), np.nonzero(array))
            np.testing.assert_array_equal(events.value, array[events.t, events.neuron].astype(np.float32), strict=True)


@pytest.mark.parametrize("dtype", ["bool", "float32", "float64", "int32"])
@pytest.mark.parametrize("shape", SHAPES)
def test_spikes_come_back(shape: tuple[int, int, int], dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for density in (0, 0.02, 0.5, 1):
        for grades in (1, 3):
            spikes = (rng.integers(1, grades + 1, shape) * (rng.random(shape) < density)).astype(dtype)
            held = np.broadcast_to(spikes[:1], shape)
            for array in (np.asfortranarray(spikes), spikes[:, ::2], spikes[::-1, :, ::-1], held):
                check(write(tmp_path / "t.h5", array), array)


def test_batches_with_grades_stand_between_batches_without(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    plain = [(rng.random((4, 3, 11)) < 0.4).astype(np.float32) for _ in range(5)]
    graded = [batch * rng.normal(size=batch.shape).astype(np.float32) for batch in plain]
    batches = (plain[0], graded[1], plain[2], graded[3], plain[4])
    check(write(tmp_path / "t.h5", *batches), *batches)


def test_what_is_no_number_and_what_is_negative_are_spikes_with_their_values(tmp_path: Path) -> None:
    spikes = np.array([0.0, -0.0, np.nan, -1.0, 1.0, np.inf], np.float32).reshape(1, 1, 6)
    with TraceReader(write(tmp_path / "t.h5", spikes)) as reader:
        events = reader.events(0, "a")
    assert events.neuron.tolist() == [2, 3, 4, 5]
    np.testing.assert_array_equal(events.value, np.array([np.nan, -1, 1, np.inf], np.float32))


@pytest.mark.parametrize(("density", "packing"), [(0.01, "gzip"), (0.2, None)])
def test_numpy_and_h5py_read_the_spikes_as_the_layout_says(density: float, packing: str | None, tmp_path: Path) -> None:
    spikes = np.random.default_rng(0).random((9, 5, 203)) < density
    with h5py.File(write(tmp_path / "t.h5", spikes)) as file:
        bits, values = file["spikes/a/bits"], file["spikes/a/values"]
        for sample in range(5):
            np.testing.assert_array_equal(np.unpackbits(bits[sample], axis=1, count=203), spikes[:, sample])
        assert bits.compression == packing and bits.fletcher32 and values.fillvalue == 1 and not len(values)
