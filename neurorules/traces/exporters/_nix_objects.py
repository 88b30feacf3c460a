"""Fast writing of spike trains and signals into NIX's HDF5 files, in the same layout as Neo's own NixIO.

nixio opens, searches and stamps each object again for every attribute that it writes. Here an object is written once
with all of its attributes. The layout is that of NIX 1.2 (https://github.com/G-Node/nixpy): groups and attributes of an
entity, a section of properties for its annotations, and links from the block and from the segment to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import gmtime, strftime
from typing import Any, NamedTuple
from uuid import uuid4

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5o, h5p, h5s, h5t
from neo.io import NixIO
from neo.io.nixio import ARRAYANNOTATION, units_to_string

TEXT = h5py.string_dtype()
TEXT_TYPE = h5t.py_create(TEXT, logical=True)
SCALAR, ONE = h5s.create(h5s.SCALAR), h5s.create_simple((1,))
ORDERED = h5p.create(h5p.GROUP_CREATE)
"""The property of a group that NIX lists in the order of creation."""
ORDERED.set_link_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)


class _Places(NamedTuple):
    """The groups of HDF5 in which a block and one of its segments hold arrays, tags and sections."""

    arrays: h5g.GroupID
    tags: h5g.GroupID
    shown_arrays: h5g.GroupID
    shown_tags: h5g.GroupID
    sections: h5g.GroupID

    @classmethod
    def of(cls, nixblock: Any, nixgroup: Any) -> _Places:
        """The groups of a block and a segment; missing ones are created."""
        block, segment, metadata = (one._h5group.group.id for one in (nixblock, nixgroup, nixgroup.metadata))
        inside = ((block, "data_arrays"), (block, "multi_tags"), (segment, "data_arrays"), (segment, "multi_tags"))
        return cls(*(_child(parent, name) for parent, name in (*inside, (metadata, "sections"))))


class QuickNixIO(NixIO):
    """Neo's NixIO, which writes spike trains and analog signals by itself, and leaves everything else to Neo."""

    def write_block(self, block: Any, use_obj_names: bool = False) -> None:
        """Write a block of Neo, as `NixIO.write_block` does."""
        self._owners: tuple[Any, Any] = (None, None)
        self._sections = _Sections()
        super().write_block(block, use_obj_names)

    def _places(self, nixblock: Any, nixgroup: Any) -> _Places:
        """The places of a segment's objects in the file."""
        if self._owners[0] is not nixgroup:
            self._owners = (nixgroup, _Places.of(nixblock, nixgroup))
        places: _Places = self._owners[1]
        return places

    def _write_spiketrain(self, spiketrain: Any, nixblock: Any, nixgroup: Any) -> None:
        name = f"neo.spiketrain.{uuid4().hex}"
        about = {
            "neo_name": spiketrain.name,
            "t_start": spiketrain.t_start,
            "t_stop": spiketrain.t_stop,
            **spiketrain.annotations,
            "nix_name": name,
        }
        places = self._places(nixblock, nixgroup)
        metadata = self._sections.add(
            places.sections, name, "neo.spiketrain.metadata", about, spiketrain.array_annotations
        )
        times, _ = _entity(places.arrays, f"{name}.times", "neo.spiketrain.times")
        _attribute(times, "unit", _unit(spiketrain))
        _values(times, "data", spiketrain.magnitude)
        tag, identity = _entity(places.tags, name, "neo.spiketrain")
        _link(tag, "positions", times)
        _link(tag, "metadata", metadata)
        _link(places.shown_tags, identity, tag)

    def _write_analogsignal(self, anasig: Any, nixblock: Any, nixgroup: Any) -> None:
        name = f"neo.analogsignal.{uuid4().hex}"
        about = {"t_start": anasig.t_start, "neo_name": anasig.name, **anasig.annotations, "nix_name": name}
        places = self._places(nixblock, nixgroup)
        metadata = self._sections.add(
            places.sections, name, "neo.analogsignal.metadata", about, anasig.array_annotations
        )
        period = anasig.sampling_period
        time = {
            "dimension_type": "sample",
            "sampling_interval": period.magnitude.item(),
            "unit": _unit(period),
            "offset": anasig.t_start.rescale(period.units).magnitude.item(),
            "label": "time",
        }
        first, identity = _entity(places.arrays, f"{name}.0", "neo.analogsignal")
        _attribute(first, "unit", _unit(anasig))
        axis = _group(_group(first, "dimensions"), "1")
        for key, value in time.items():
            _attribute(axis, key, value)
        rows = np.ascontiguousarray(anasig.magnitude.T)
        _values(first, "data", rows[0])
        signals = [(first, identity)]
        for number, values in enumerate(rows[1:], 1):
            h5o.copy(places.arrays, f"{name}.0".encode(), places.arrays, f"{name}.{number}".encode())
            signal = h5g.open(places.arrays, f"{name}.{number}".encode())
            signals.append((signal, _rename(signal, f"{name}.{number}")))
            h5d.open(signal, b"data").write(h5s.ALL, h5s.ALL, values)
        # The section is linked last, so that it is not copied with the first channel.
        for signal, identity in signals:
            _link(signal, "metadata", metadata)
            _link(places.shown_arrays, identity, signal)


_UNITS: dict[str, str] = {}


def _unit(value: Any) -> str:
    """NIX's name for the unit of a quantity, which Neo computes slowly; "" without a unit."""
    if not hasattr(value, "dimensionality"):
        return ""
    key = value.dimensionality.string
    if key not in _UNITS:
        _UNITS[key] = str(units_to_string(value.units))
    return _UNITS[key]


def _child(parent: h5g.GroupID, name: str) -> h5g.GroupID:
    """A group inside another one, which is created if it is missing."""
    return h5g.open(parent, name.encode()) if name.encode() in parent else _group(parent, name)


def _group(parent: h5g.GroupID, name: str) -> h5g.GroupID:
    return h5g.create(parent, name.encode(), gcpl=ORDERED)


def _link(parent: h5g.GroupID, name: str, target: h5g.GroupID) -> None:
    parent.links.create_hard(name.encode(), target, b".")


def _entity(parent: h5g.GroupID, name: str, kind: str) -> tuple[h5g.GroupID, str]:
    """A group with the attributes of an entity of NIX, and its id."""
    entity = _group(parent, name)
    _attribute(entity, "type", kind)
    return entity, _identify(entity, name)


def _identify(owner: Any, name: str) -> str:
    """Write an id, a name and times as attributes, and return the id."""
    identity, now = str(uuid4()), strftime("%Y%m%dT%H%M%S", gmtime())
    for key, value in (("entity_id", identity), ("name", name), ("created_at", now), ("updated_at", now)):
        _attribute(owner, key, value)
    return identity


def _attribute(owner: Any, name: str, value: str | float) -> None:
    if isinstance(value, str):
        h5a.create(owner, name.encode(), TEXT_TYPE, SCALAR).write(np.array(value, dtype=TEXT))
    else:
        h5a.create(owner, name.encode(), h5t.NATIVE_DOUBLE, SCALAR).write(np.array(value, dtype=np.float64))


def _values(parent: h5g.GroupID, name: str, values: np.ndarray) -> h5d.DatasetID:
    """A data set of one dimension; texts are an array of objects with the type `TEXT`."""
    kind = TEXT_TYPE if values.dtype.kind == "O" else h5t.py_create(values.dtype)
    space = ONE if len(values) == 1 else h5s.create_simple(values.shape)
    data = h5d.create(parent, name.encode(), kind, space)
    if len(values):
        data.write(h5s.ALL, h5s.ALL, values)
    return data


class _Sections:
    """Writes sections of metadata into a NIX file. One that has the properties of an earlier one begins as a copy of
    it.
    """

    def __init__(self) -> None:
        self._earlier: dict[tuple[str, ...], tuple[h5g.GroupID, bytes, dict[str, Any]]] = {}

    def add(
        self, parent: h5g.GroupID, name: str, kind: str, about: Mapping[str, Any], columns: Mapping[str, np.ndarray]
    ) -> h5g.GroupID:
        """Write one section and its properties.

        Args:
            parent: the group that contains sections.
            name: the name of the section.
            kind: the type of the entity.
            about: annotations by name: texts, numbers, and quantities of one number.
            columns: annotations with one value for each spike.

        Returns:
            The section.
        """
        key = (kind, *(f"{one} {type(value).__name__} {_unit(value)}" for one, value in about.items()))
        if columns or key not in self._earlier:
            section = _section(parent, name, kind, about, columns)
            if not columns:
                self._earlier[key] = parent, name.encode(), {one: _plain(value) for one, value in about.items()}
            return section
        place, earlier, values = self._earlier[key]
        h5o.copy(place, earlier, parent, name.encode())
        section = h5g.open(parent, name.encode())
        _rename(section, name)
        properties = h5g.open(section, b"properties")
        for one, value in about.items():
            held = h5d.open(properties, one.encode())
            _rewrite(held, b"entity_id", str(uuid4()))
            if _plain(value) != values[one]:
                held.write(h5s.ALL, h5s.ALL, _array(value))
        return section


def _section(
    parent: h5g.GroupID, name: str, kind: str, about: Mapping[str, Any], columns: Mapping[str, np.ndarray]
) -> h5g.GroupID:
    """A section without an earlier one of its kind; see `_Sections.add`."""
    section, _ = _entity(parent, name, kind)
    properties = _group(section, "properties")
    for key, value in about.items():
        held = _values(properties, key, _array(value))
        _identify(held, key)
        if _unit(value):
            _attribute(held, "unit", _unit(value))
    for key, values in columns.items():
        held = _values(properties, key, np.asarray(values))
        _identify(held, key)
        _attribute(held, "type", ARRAYANNOTATION)
    return section


def _plain(value: Any) -> Any:
    return value.magnitude.item() if hasattr(value, "dimensionality") else value


def _array(value: Any) -> np.ndarray:
    plain = _plain(value)
    return np.array([plain], dtype=TEXT if isinstance(plain, str) else None)


def _rename(entity: h5g.GroupID, name: str) -> str:
    """Give a copy of an entity its own name and id, and return the id."""
    identity = str(uuid4())
    _rewrite(entity, b"entity_id", identity)
    _rewrite(entity, b"name", name)
    return identity


def _rewrite(owner: Any, name: bytes, text: str) -> None:
    h5a.open(owner, name).write(np.array(text, dtype=TEXT))
