"""Nodes and edges of a network in SONATA, beside which spikes of its populations can stand.

`nodes.h5` and `edges.h5` hold the populations, `node_types.csv` and `edge_types.csv` their types, and
`circuit_config.json` names these files.

Source: SONATA developer guide, network files (Dai et al. 2020, doi:10.1371/journal.pcbi.1007696).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

MAGIC, VERSION = np.uint32(0x0A7A), np.array([0, 1], np.uint32)
VIRTUAL, POINT = "virtual", "point_neuron"
NODES, EDGES, NODE_TYPES, EDGE_TYPES, CONFIG = (
    "nodes.h5", "edges.h5", "node_types.csv", "edge_types.csv", "circuit_config.json",
)  # fmt: skip
NOTHING = "NULL"
"""What stands in a table where there is no value."""


@dataclass(frozen=True)
class Nodes:
    """A population of neurons, which are all of one type.

    Args:
        name: name of the population.
        size: number of neurons N.
        template: their model, such as "neurorules:lif"; None for inputs, which have no dynamics.
        dynamics: numbers of each neuron by name, (N,) each.
    """

    name: str
    size: int
    template: str | None = None
    dynamics: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Edges:
    """Synapses from one population to another, which are all of one type.

    Args:
        name: name of the population of edges.
        source, target: names of the populations at the two ends.
        pre, post: index of the neuron at each end, (E,) each.
        weights: (E,), in thresholds.
        delay_ms: time from a spike to what it brings, > 0.
    """

    name: str
    source: str
    target: str
    pre: np.ndarray
    post: np.ndarray
    weights: np.ndarray
    delay_ms: float


def write_network(nodes: Sequence[Nodes], edges: Sequence[Edges], folder: Path) -> list[Path]:
    """Write the populations and synapses of a network as files of SONATA.

    Args:
        nodes: all populations; their order numbers their types.
        edges: all synapses.
        folder: exists; files of these names are replaced.

    Returns:
        The files, circuit_config.json first.

    Raises:
        OSError: one cannot be written.
    """
    with h5py.File(folder / NODES, "w") as file:
        _mark(file)
        for number, one in enumerate(nodes):
            _write_nodes(one, number, file.create_group(f"nodes/{one.name}"))
    sizes = {one.name: one.size for one in nodes}
    with h5py.File(folder / EDGES, "w") as file:
        _mark(file)
        for number, synapses in enumerate(edges):
            _write_edges(synapses, number, sizes, file.create_group(f"edges/{synapses.name}"))
    _table(
        folder / NODE_TYPES,
        ("node_type_id", "population", "model_type", "model_template"),
        [(n, one.name, POINT if one.template else VIRTUAL, one.template or NOTHING) for n, one in enumerate(nodes)],
    )
    _table(
        folder / EDGE_TYPES,
        ("edge_type_id", "population", "source_population", "target_population"),
        [(n, one.name, one.source, one.target) for n, one in enumerate(edges)],
    )
    (folder / CONFIG).write_text(json.dumps(_config(nodes, edges), indent=2) + "\n", encoding="utf-8")
    return [folder / name for name in (CONFIG, NODES, EDGES, NODE_TYPES, EDGE_TYPES)]


def _config(nodes: Sequence[Nodes], edges: Sequence[Edges]) -> dict[str, object]:
    """The content of circuit_config.json: the files, and the kind of each population."""
    kinds = {one.name: {"type": POINT if one.template else VIRTUAL} for one in nodes}
    of_nodes = {"nodes_file": f"$BASE_DIR/{NODES}", "node_types_file": f"$BASE_DIR/{NODE_TYPES}", "populations": kinds}
    of_edges = {
        "edges_file": f"$BASE_DIR/{EDGES}",
        "edge_types_file": f"$BASE_DIR/{EDGE_TYPES}",
        "populations": {one.name: {"type": "chemical"} for one in edges},
    }
    return {
        "manifest": {"$BASE_DIR": "."},
        "networks": {"nodes": [of_nodes], "edges": [of_edges] if edges else []},
    }


def _mark(file: h5py.File) -> None:
    file.attrs["magic"], file.attrs["version"] = MAGIC, VERSION


def _write_nodes(nodes: Nodes, number: int, group: h5py.Group) -> None:
    group["node_id"] = np.arange(nodes.size, dtype=np.uint64)
    group["node_type_id"] = np.full(nodes.size, number, np.int64)
    group["node_group_id"] = np.zeros(nodes.size, np.uint32)
    group["node_group_index"] = np.arange(nodes.size, dtype=np.uint64)
    dynamics = group.create_group("0").create_group("dynamics_params")
    for name, values in nodes.dynamics.items():
        dynamics[name] = np.asarray(values, dtype=np.float64)


def _write_edges(edges: Edges, number: int, sizes: Mapping[str, int], group: h5py.Group) -> None:
    """Write synapses in the order of their targets, and of their sources within one target."""
    order = np.lexsort((edges.pre, edges.post))
    pre, post, count = edges.pre[order], edges.post[order], len(order)
    for name, ids, population in (("source", pre, edges.source), ("target", post, edges.target)):
        group[f"{name}_node_id"] = ids.astype(np.uint64)
        group[f"{name}_node_id"].attrs["node_population"] = population
    group["edge_type_id"] = np.full(count, number, np.int64)
    group["edge_group_id"] = np.zeros(count, np.uint32)
    group["edge_group_index"] = np.arange(count, dtype=np.uint64)
    numbers = group.create_group("0")
    numbers["syn_weight"] = edges.weights[order].astype(np.float64)
    numbers["syn_weight"].attrs["units"] = "threshold"
    numbers["delay"] = np.full(count, edges.delay_ms)
    numbers["delay"].attrs["units"] = "ms"
    indices = group.create_group("indices")
    _write_index(pre, sizes[edges.source], indices.create_group("source_to_target"))
    _write_index(post, sizes[edges.target], indices.create_group("target_to_source"))


def _write_index(ids: np.ndarray, nodes: int, group: h5py.Group) -> None:
    """Write where the edges of each node lie: ranges of edges, and for each node a range of these ranges.

    Args:
        ids: node of each edge, in the order of the edges, (E,).
        nodes: number of nodes of the population.
        group: takes `range_to_edge_id` (R, 2) and `node_id_to_ranges` (nodes, 2); an end stands behind the last one.
    """
    begins = np.flatnonzero(np.diff(ids, prepend=-1))
    ends = np.append(begins[1:], len(ids))[: len(begins)]
    of_node = ids[begins]
    order = np.argsort(of_node, kind="stable")
    group["range_to_edge_id"] = np.stack([begins[order], ends[order]], axis=1).astype(np.uint64)
    edges = np.searchsorted(of_node[order], np.arange(nodes + 1))
    group["node_id_to_ranges"] = np.stack([edges[:-1], edges[1:]], axis=1).astype(np.uint64)


def _table(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table as SONATA has them: columns are separated by a space."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter=" ", lineterminator="\n")
        table.writerow(head)
        table.writerows(rows)
