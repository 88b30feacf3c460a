"""A summary of a NIR file for its user: the nodes, the time step, and the network that neurorules makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from neurorules.contracts.neuron import Neuron
from neurorules.contracts.parameter_key import key_of
from neurorules.exchange.nir.file import metadata_of, read_graph
from neurorules.exchange.nir.kinds import kind_of
from neurorules.exchange.nir.options import DT, UNIT, clock_of, parsed, unit_of
from neurorules.exchange.nir.read import net_of_graph
from neurorules.network.description import line_of, text_of_neuron
from neurorules.neurons._resting import RestingIntegrator

NOT_NUMBERS = ("input_type", "output_type", "metadata", "nodes", "edges")
"""Fields of a node that are no numbers."""


def info_of(text: str) -> dict[str, Any]:
    """Read a file of NIR and summarise it.

    Args:
        text: name of the file, with options such as "net.nir:unit=ms".

    Returns:
        file; nodes (name, type, numbers by name: one number, or shape, lowest and highest); edges; metadata; step_s and
        step_from (user, metadata, assumed, or steps); unit and unit_from; method; input_shape, outputs and weights of
        the net; net, its layers in one line; layers (name, shape, neuron).

    Raises:
        UserError: the file, an option, or a node that has no counterpart here.
        MissingExtra: nir is not installed.
    """
    path, options = parsed(text)
    graph = read_graph(path)
    net = net_of_graph(graph, options, None, str(path))
    metadata = metadata_of(graph)
    clock = clock_of(metadata, options, str(path))
    unit = options.unit or unit_of(metadata, str(path)) or "s"
    source = "user" if options.dt else "metadata" if DT in metadata else "steps" if unit == "steps" else "assumed"
    return {
        "file": str(path),
        "nodes": list(_nodes(graph, "")),
        "edges": [list(edge) for edge in graph.edges],
        "metadata": {key: _plain(value) for key, value in metadata.items()},
        "step_s": clock.seconds,
        "step_from": source,
        "unit": unit,
        "unit_from": "user" if options.unit else "metadata" if UNIT in metadata else "assumed",
        "method": "exact" if clock.exact else "euler",
        "input_shape": list(net.network.input_shape),
        "outputs": net.network.classes,
        "weights": sum(prod(value.shape) for name, value in net.parameters.items() if key_of(name).is_weight),
        "net": line_of(net.network),
        "layers": [
            {"name": layer.name, "shape": list(layer.shape), "neuron": _neuron(layer.neuron)}
            for layer in net.network.layers
        ],
    }


def _neuron(neuron: Neuron[Any]) -> str:
    resting = isinstance(neuron, RestingIntegrator)
    return text_of_neuron(neuron) + (" (with a v_leak or v_reset other than 0)" if resting else "")


def _nodes(graph: Any, prefix: str) -> Iterator[dict[str, Any]]:
    for name, node in graph.nodes.items():
        if kind_of(node) == "NIRGraph":
            yield from _nodes(node, f"{prefix}{name}.")
            continue
        numbers = {key: _numbers(value) for key, value in vars(node).items() if key not in NOT_NUMBERS}
        if kind_of(node) in ("Input", "Output"):
            numbers = {"shape": [int(side) for side in next(iter(node.input_type.values()))]}
        yield {"name": f"{prefix}{name}", "type": kind_of(node), "numbers": numbers}


def _numbers(value: Any) -> Any:
    """One number as it is, more of them by shape, lowest and highest."""
    if value is None or isinstance(value, str):
        return value
    array = np.asarray(value)
    if not array.size or np.unique(array).size == 1:
        return _plain(array.reshape(-1)[0]) if array.size else None
    if array.size <= 3:
        return [_plain(one) for one in array.reshape(-1)]
    return {"shape": list(array.shape), "lowest": _plain(array.min()), "highest": _plain(array.max())}


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value
