"""What is laid into NIX files by hand is what Neo's own NixIO writes, object by object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

neo = pytest.importorskip("neo")
pytest.importorskip("nixio")
pq = pytest.importorskip("quantities")

OWN = ("entity_id", "created_at", "updated_at", "id")
"""Attributes whose values differ from one writing to the next."""


def block() -> Any:
    """Two segments with trains that have annotations, an empty one, and signals of two units."""
    made = neo.Block(name="block", header="{}")
    for number in range(2):
        segment = neo.Segment(name=f"sample {number}", label=number)
        for neuron, times in enumerate(([0.5, 1.5], [], [2.5])):
            columns = {"value": np.array([2.0, 3.0])} if neuron == 0 else {}
            segment.spiketrains.append(
                neo.SpikeTrain(
                    times * pq.ms, t_start=0 * pq.ms, t_stop=5 * pq.ms, name=f"hidden {neuron}",
                    array_annotations=columns, layer="hidden", neuron=neuron + 10 * number,
                )
            )  # fmt: skip
        for unit in (pq.mV, pq.dimensionless):
            values = np.arange(6.0).reshape(2, 3) + number
            segment.analogsignals.append(
                neo.AnalogSignal(
                    values * unit, sampling_period=0.5 * pq.ms, t_start=0.25 * pq.ms, name="v", layer="hidden"
                )
            )
        made.segments.append(segment)
    return made


def tree(path: Path) -> dict[str, Any]:
    """All objects by a path of which the unique names are numbered, with kinds, values and attributes."""
    numbers: dict[str, str] = {}

    def known(name: str) -> str:
        parts = name.split(".")
        unique = [part for part in parts if len(part) in (32, 36)]
        for part in unique:
            name = name.replace(part, numbers.setdefault(part, f"<{len(numbers)}>"))
        return name

    def plain(value: Any) -> Any:
        values = np.asarray(value).reshape(-1).tolist()
        return [
            known(one.decode() if isinstance(one, bytes) else one) if isinstance(one, str | bytes) else one
            for one in values
        ]

    found: dict[str, Any] = {}

    def walk(group: Any, place: str) -> None:
        for key in group:
            one, here = group[key], f"{place}/{known(key)}"
            about = {name: plain(value) for name, value in one.attrs.items() if name not in OWN}
            kind = (one.dtype.kind, one.shape, plain(one[...])) if isinstance(one, h5py.Dataset) else "group"
            found[here] = (kind, about, sorted(name for name in one.attrs))
            if not isinstance(one, h5py.Dataset):
                walk(one, here)

    with h5py.File(path) as file:
        walk(file, "")
    return found


def test_it_lays_out_what_neo_lays_out(tmp_path: Path) -> None:
    from neurorules.traces.exporters._nix_objects import QuickNixIO

    trees = []
    for name, kind in (("neo", neo.io.NixIO), ("ours", QuickNixIO)):
        io = kind(str(tmp_path / f"{name}.nix"), mode="ow")
        io.write_block(block())
        io.close()
        trees.append(tree(tmp_path / f"{name}.nix"))
    theirs, ours = trees
    assert len(ours) > 300 and ours.keys() == theirs.keys()
    for place, said in theirs.items():
        assert ours[place] == said, place


def test_no_two_objects_share_an_id(tmp_path: Path) -> None:
    from neurorules.traces.exporters._nix_objects import QuickNixIO

    path = tmp_path / "ours.nix"
    io = QuickNixIO(str(path), mode="ow")
    io.write_block(block())
    io.close()
    ids: dict[str, int] = {}
    with h5py.File(path) as file:

        def seen(_: str, one: Any) -> None:  # Each object is visited once, however many links lead to it.
            if "entity_id" in one.attrs:
                ids[one.attrs["entity_id"]] = ids.get(one.attrs["entity_id"], 0) + 1

        file.visititems(seen)
    assert len(ids) > 100 and set(ids.values()) == {1}
