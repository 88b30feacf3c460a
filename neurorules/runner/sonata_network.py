"""The network of a run as nodes and edges of SONATA, beside the spikes of a trace."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from neurorules.brian2_steps.case import Arrays, LayerNorm
from neurorules.brian2_steps.folded import folded, lags_of, wired
from neurorules.brian2_steps.trained import numbers_of
from neurorules.contracts.data_set import DataPlace
from neurorules.disk.failures import cannot_write
from neurorules.exchange.sonata import Edges, Nodes, write_network
from neurorules.language.errors import UserError
from neurorules.network.layer import INPUT, Layer
from neurorules.network.network import Network
from neurorules.torch_path.training.off_chip import warn_of_neurons
from neurorules.torch_path.training.restore import restore
from neurorules.traces.exporters import export
from neurorules.traces.store import TraceReader


def export_with_network(trace: Path, to: str, out: Path, run: Path, data_dir: DataPlace = None) -> list[Path]:
    """Write a trace as SONATA, and the network of its run into the same folder.

    Args:
        trace: the trace file.
        to: the exporter, which is sonata.
        out: the new folder.
        run: folder of the run, trained on the torch path, that the trace was recorded from.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.

    Returns:
        The files, the folder first.

    Raises:
        UserError: another exporter is asked for, the run has other populations than the trace, or a part of its
            network is no set of neurons and synapses.
    """
    if to.partition(":")[0] != "sonata":
        raise UserError(f"--network is for --to sonata, and {to} has no place for a network. Leave it out")
    restored = restore(run, data_dir, precision="float64", device="cpu")
    learner = restored.learner
    warn_of_neurons(learner.store.chip(), learner.model.network, str(out))
    parameters, norms = numbers_of(learner.model, learner.trial_state(), sent=True)
    with TraceReader(trace) as reader:
        header = reader.header
    nodes = nodes_of(learner.model.network, parameters, norms, restored.config.neuron)
    sizes = {one.name: one.size for one in nodes}
    for layer in header.layers:
        if layer in sizes and header.neurons(layer) != sizes[layer]:
            raise UserError(
                f"{trace} has {header.neurons(layer)} neurons in '{layer}', and {run} has {sizes[layer]}. Name the run "
                f"that it was recorded from"
            )
    edges = edges_of(learner.model.network, parameters, norms, header.dt_ms)
    written = export(trace, to, out)
    try:
        return [*written, *write_network(nodes, edges, out)]
    except OSError as error:
        raise cannot_write(f"the network into {out}", error) from None


def nodes_of(network: Network, parameters: Arrays, norms: dict[str, LayerNorm], neuron: str | None) -> list[Nodes]:
    """List the populations of a network, its input first.

    Args:
        network: structure of the network.
        parameters: weights and biases by full name.
        norms: constants of normalised layers, by name.
        neuron: the neuron of the hidden layers, such as "lif:beta=0.9"; its name determines the model.

    Returns:
        The populations. The numbers of a neuron are per step and in thresholds; `bias` is what it receives in each.
    """
    nodes = [Nodes(INPUT, prod(network.input_shape))]
    for layer in network.layers:
        own = (neuron or "").partition(":")[0] if layer in network.hidden else ""
        size = prod(layer.shape)
        numbers = {**_numbers(layer), "bias": folded(layer, parameters, norms.get(layer.name))[1]}
        dynamics = {name: np.broadcast_to(value, (size,)) for name, value in numbers.items()}
        nodes.append(Nodes(layer.name, size, f"neurorules:{own or type(layer.neuron).__name__}", dynamics))
    return nodes


def edges_of(network: Network, parameters: Arrays, norms: dict[str, LayerNorm], dt_ms: float) -> list[Edges]:
    """List the synapses of a network.

    Args:
        network: structure of the network.
        parameters: weights and biases by full name.
        norms: constants of normalised layers, by name.
        dt_ms: length of a time step in ms, > 0.

    Returns:
        One population of edges for each connection. Weights hold the gain of normalised layers. A spike needs a step
        for each layer that it passes, so that the delay of those that skip layers is longer.

    Raises:
        UserError: a connection or a pool is no set of synapses that add.
    """
    lags, edges = lags_of(network), []
    for index, layer in enumerate(network.layers):
        gain = folded(layer, parameters, norms.get(layer.name))[0]
        for afferent in layer.inputs:
            wiring, weights = wired(layer, afferent, parameters)
            source = index if afferent.connection.recurrent else afferent.source
            steps = 1 if afferent.connection.recurrent else lags[index] - lags[source]
            edges.append(
                Edges(
                    f"{layer.name}_{afferent.name}", network.name_of(source), layer.name, wiring.pre, wiring.post,
                    weights * gain[wiring.post], steps * dt_ms,
                )
            )  # fmt: skip
    return edges


def _numbers(layer: Layer) -> dict[str, float | np.ndarray]:
    """The constants of a layer's neurons; none of those that have no text for Brian2."""
    try:
        return dict(layer.neuron.brian2().numbers)
    except UserError:
        return {}
