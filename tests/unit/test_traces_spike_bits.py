"""Spikes as bits: compiled and in numpy, the same bits; and what they are by definition."""

from __future__ import annotations

import numpy as np
import pytest

from neurorules.traces import spike_bits
from neurorules.traces.spike_codes import decode, encode

SHAPES = [(8, 12, 80), (3, 5, 7), (1, 1, 1), (4, 3, 9), (5, 1, 3), (6, 5, 3), (0, 3, 4), (3, 0, 4), (2, 3, 0)]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", ["bool", "float32", "float64", "int32"])
@pytest.mark.parametrize("shape", SHAPES)
def test_bits_and_gaps_are_those_of_the_turned_array(
    shape: tuple[int, int, int], dtype: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled and spike_bits.library() is None:
        pytest.skip("needs a C compiler")
    if not compiled:
        monkeypatch.setattr(spike_bits, "library", lambda: None)
    rng = np.random.default_rng(0)
    for density in (0, 0.02, 0.5, 1):
        for grades in (1, 3):
            spikes = (rng.integers(1, grades + 1, shape) * (rng.random(shape) < density)).astype(dtype)
            held = np.broadcast_to(spikes[:1], shape) if shape[0] else spikes
            for given in (spikes, np.asfortranarray(spikes), spikes[:, ::2], spikes[::-1, :, ::-1], held):
                flat = np.ascontiguousarray(given.transpose(1, 0, 2)).ravel()
                places = np.flatnonzero(flat)
                packed = spike_bits.pack(given)
                np.testing.assert_array_equal(packed.bits, np.packbits(flat != 0))
                assert (packed.spikes, packed.plain) == (len(places), bool((flat[places] == 1).all()))
                np.testing.assert_array_equal(spike_bits.gaps(packed, flat.size), np.diff(places, prepend=0))
                where, values = decode(encode(given), flat.size)
                np.testing.assert_array_equal(where, places)
                np.testing.assert_array_equal(values, flat[places])


def test_what_is_no_number_and_what_is_negative_are_spikes_with_their_values() -> None:
    spikes = np.array([[[0.0, -0.0, np.nan, -1.0, 1.0, np.inf]]], np.float32)
    where, values = decode(encode(spikes), 6)
    assert where.tolist() == [2, 3, 4, 5]
    np.testing.assert_array_equal(values, np.array([np.nan, -1, 1, np.inf], np.float32))
