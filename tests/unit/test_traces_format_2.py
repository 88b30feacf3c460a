"""Traces that an earlier version wrote, closed and with a writer that was killed, are read to the last bit."""

from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurorules.language.errors import UserError
from neurorules.traces.store import TraceReader

FOLDER = Path(__file__).with_name("format_2")


def unpacked(name: str, folder: Path) -> Path:
    """A file as the earlier version left it."""
    path = folder / f"{name}.h5"
    path.write_bytes(gzip.decompress((FOLDER / f"{name}.h5.gz").read_bytes()))
    return path


@pytest.mark.parametrize("name", ["closed", "unclosed"])
def test_a_trace_of_format_2_gives_back_what_was_recorded(name: str, tmp_path: Path) -> None:
    with np.load(FOLDER / "expected.npz") as expected, TraceReader(unpacked(name, tmp_path)) as reader:
        samples = [(sample.data_index, sample.label, sample.epoch) for sample in reader]
        assert samples == [(0, 0, 0), (1, 1, 0), (2, 2, 0), (10, 0, 1), (11, 1, 1)]
        for key in expected.files:
            layer, variable = key.split(".")
            for position, array in enumerate(expected[key]):
                np.testing.assert_array_equal(reader.dense(position, layer, variable), array, strict=True)
            if variable == "S":
                assert reader.count(layer) == np.count_nonzero(expected[key])
        for snapshot in reader.snapshots:
            weights = np.arange(6).reshape(2, 3) + snapshot.epoch
            np.testing.assert_array_equal(reader.parameter(snapshot.position, "hidden1.ff.w"), weights)
        assert [snapshot.samples for snapshot in reader.snapshots] == [3, 5]


def test_damaged_spikes_of_format_2_are_told(tmp_path: Path) -> None:
    path = unpacked("closed", tmp_path)
    with h5py.File(path) as file:
        place = file["spikes/data"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    with TraceReader(path) as reader, pytest.raises(UserError, match="is damaged"):
        reader.events(0, "input")
