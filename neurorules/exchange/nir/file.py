"""Files of NIR: read with every fault named, written whole or not at all."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurorules.exchange.nir.kinds import INTEGRATORS, SPIKING
from neurorules.language.errors import MissingExtra, UserError, nearest
from neurorules.runs.outputs import output

if TYPE_CHECKING:
    import h5py

GRAPH = "NIRGraph"
STATED = ("type", "metadata")
"""Entries that a node's group may hold beside its parameters."""


def package() -> Any:
    """Give the package nir, which is an extra.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return import_module("nir")
    except ModuleNotFoundError:
        raise MissingExtra("a NIR graph", "nir", "nir") from None


def is_graph(net: object) -> bool:
    """Whether what a program gives is a graph of NIR, which nobody has who has not imported the package."""
    nir: Any = sys.modules.get("nir")
    return nir is not None and isinstance(net, nir.NIRGraph)


def read_graph(path: Path) -> Any:
    """Read a file of NIR.

    Args:
        path: path of the file.

    Returns:
        Its `nir.NIRGraph`, whose types are not checked.

    Raises:
        UserError: there is no such file, it is damaged, it holds no graph, or a node is not one of NIR's.
        MissingExtra: nir is not installed.
    """
    nir = package()
    content = _content(path)
    if content.get("type") != GRAPH:
        raise UserError(f"{path} holds a single {content.get('type')} and no graph. Put it into one: nir.NIRGraph")
    return _graph(nir, content, str(path))


def write_graph(path: Path, graph: Any) -> None:
    """Write a file of NIR, whole or not at all.

    Args:
        path: path of the file.
        graph: a `nir.NIRGraph`.

    Raises:
        UserError: what lies there is of another kind, or a file of a run.
        OSError: it cannot be written; what lay there is still there.
    """
    nir = package()
    with output(path) as temporary:
        nir.write(temporary, graph)


def _content(path: Path) -> Mapping[str, Any]:
    """The groups and numbers of a file, as mappings."""
    if not path.exists():
        raise UserError(f"there is no file {path}. Check its name, or write one: neurorules nir RUN --out net.nir")
    if path.is_dir():
        raise UserError(f"{path} is a folder. Name a file of NIR in it, such as {path / 'net.nir'}")
    with path.open("rb"):
        pass  # what the system refuses, it says itself
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "node" not in file or not isinstance(file["node"], h5py.Group):
                raise UserError(f"{path} is a file of HDF5 and holds no NIR graph (no group 'node'). Name another")
            return _mapping(file["node"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} cannot be read: it is no NIR (HDF5) file, or truncated ({reason:.120}). Write it again, or name "
            f"another"
        ) from None


def _mapping(group: h5py.Group) -> dict[str, Any]:
    return {name: _mapping(one) if isinstance(one, Mapping) else _value(one[()]) for name, one in group.items()}


def _value(value: Any) -> Any:
    """A number or text of a file; a text may stand in an array of one element."""
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "SO":
        value = value.reshape(-1)[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _graph(nir: Any, content: Mapping[str, Any], where: str) -> Any:
    nodes, edges = content.get("nodes"), content.get("edges", ())
    if not isinstance(nodes, Mapping) or not len(nodes):
        raise UserError(f"{where} holds a graph without nodes. Write it again")
    read = {name: _node(nir, node, name, where) for name, node in nodes.items()}
    pairs = [tuple(_value(end) for end in edge) for edge in edges]
    for edge in pairs:
        check_edge(edge, read, where)
    return nir.NIRGraph(read, pairs, metadata=dict(content.get("metadata", {})), type_check=False)


def check_edge(edge: tuple[Any, ...], nodes: Mapping[str, Any], where: str) -> None:
    """Refuse an edge that does not join two nodes.

    Args:
        edge: the names of its ends.
        nodes: the nodes of the graph, by name.
        where: the name of the graph in messages.

    Raises:
        UserError: one of its ends is no node of the graph.
    """
    if len(edge) != 2:
        raise UserError(f"{where} has an edge of {len(edge)} ends. Write it again")
    for end in edge:
        if end not in nodes:
            raise UserError(f"{where} has an edge {edge[0]} -> {edge[1]}, and there is no node '{end}'. Write it again")


def _node(nir: Any, content: Any, name: str, where: str) -> Any:
    at = f"{where}: node '{name}'"
    kind = content.get("type") if isinstance(content, Mapping) else None
    legal = list(kinds(nir))
    if kind not in legal:
        close = nearest(str(kind), legal)
        hint = f"Did you mean {close}? " if close else ""
        raise UserError(
            f"{at} is of the type '{kind}', which NIR {nir.version} does not have. {hint}Known: {', '.join(legal)}"
        )
    if kind == GRAPH:
        return _graph(nir, content, at)
    try:
        return nir.dict2NIRNode({"type": kind, **_arguments(kind, content)})
    except (KeyError, TypeError, ValueError, AssertionError, AttributeError, IndexError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        needs = [field for field in inspect.signature(getattr(nir, kind).__init__).parameters if field != "self"]
        raise UserError(f"{at} ({kind}) is damaged ({reason:.120}). It holds {', '.join(needs)}") from None


def _arguments(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a node of a type; files of older versions leave some of them out, or have more."""
    numbers = {key: value for key, value in content.items() if key not in STATED}
    ends = {"Input": "input", "Output": "output"}
    if kind in ends:
        stated = numbers.get("shape", numbers.get(f"{ends[kind]}_type"))
        stated = stated.get(ends[kind]) if isinstance(stated, Mapping) else stated
        numbers = {"shape": None if stated is None else np.atleast_1d(stated)}
    if kind != "Flatten":
        numbers = {key: value for key, value in numbers.items() if key not in ("input_type", "output_type")}
    if kind.startswith("Conv"):
        numbers.setdefault("input_shape", None)
    if kind in (*INTEGRATORS, *SPIKING):
        numbers = _one_shape(numbers)
    return {**numbers, "metadata": dict(content.get("metadata", {}))}


def _one_shape(numbers: dict[str, Any]) -> dict[str, Any]:
    """Numbers of neurons in one shape, as nir wants them: one number counts for all neurons."""
    sizes = [value.shape for value in numbers.values() if isinstance(value, np.ndarray) and value.size > 1]
    if len(set(sizes)) != 1:
        return numbers
    alone = {key for key, value in numbers.items() if isinstance(value, np.ndarray | np.number) and value.size == 1}
    return {
        key: np.full(sizes[0], np.asarray(value).item()) if key in alone else value for key, value in numbers.items()
    }


def kinds(nir: Any) -> Iterator[str]:
    """Names of all types of nodes that a file may hold."""
    for name in dir(nir.ir):
        one = getattr(nir.ir, name)
        if inspect.isclass(one) and issubclass(one, nir.NIRNode) and one is not nir.NIRNode:
            yield name


def metadata_of(node: Any) -> dict[str, Any]:
    """The metadata of a node, with numbers of one element as plain ones.

    Args:
        node: a node of NIR.

    Returns:
        By name.
    """
    metadata = node.metadata if isinstance(node.metadata, Mapping) else {}
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in metadata.items()}
