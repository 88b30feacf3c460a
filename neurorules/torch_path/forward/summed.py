"""A read-out without memory, whose output summed over time follows from the sums over time of what it reads.

Its output at every step, one product over time and batch, is computed when it is first read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from neurorules.contracts.series import Later, Series, series_of
from neurorules.network.layer import Input, Layer
from neurorules.network.network import Parameters
from neurorules.torch_path.forward.drive import Current, feed_forward_current
from neurorules.torch_path.forward.run_layer import Activity, Variable

_allowed = [True]


def only_steps() -> None:
    """Run every read-out step by step in this process from now on.

    The way that a read-out takes depends on whether anything observes its steps, and the two ways round otherwise. An
    audit compares bits, and would report this as a dependence.
    """
    _allowed[0] = False


def sums_first(layer: Layer) -> bool:
    """Whether the output of a layer, summed over time, is linear in the sums of what it reads."""
    dynamics = layer.dynamics
    if not _allowed[0] or layer.role != "readout" or layer.neuron.spiking:
        return False
    if layer.normalisation is not None or dynamics is None:
        return False
    return layer.forgets and dynamics.reset == "none" and all(_is_linear(entry) for entry in layer.inputs)


def _is_linear(entry: Input) -> bool:
    connection = entry.connection
    return connection.linear and not connection.recurrent and connection.efficacy is None and not entry.transforms


def run_summed(
    layer: Layer, parameters: Parameters, sources: dict[str, Series], steps: int, needs: Callable[[Variable], bool]
) -> Activity | None:
    """Run a read-out through time without its output at every step, if nothing reads that.

    Args:
        layer: the layer.
        parameters: the network's.
        sources: spikes of the source of each input, (T, B, *source) or constant (B, *source), by input.
        steps: T.
        needs: says whether a variable is worth storing rather than computed when it is first read.

    Returns:
        The activity of the read-out, of which only the sum of the output has been computed; None for a layer with
        memory, for inputs whose sums over time are not known, and where the output at every step is needed.
    """
    varying = [series for series in sources.values() if not series.constant]
    if steps == 1 or not varying or any(series.summed is None for series in varying):
        return None
    if not sums_first(layer) or needs("output"):
        return None
    entries = [entry for entry in layer.inputs if entry.name in sources]
    names = {entry.name: layer.weight_names[entry.name] for entry in entries}
    bias = parameters[layer.bias_name]
    total: Tensor = steps * bias
    for entry in entries:
        total = entry.connection.current(parameters[names[entry.name]], sources[entry.name].total(steps)) + total
    own = {name: parameters[name].clone() for name in names.values()}  # those of the net change in place
    shape = steps, len(total), *layer.shape
    current = series_of(Later(shape, partial(_currents, layer, own, entries, sources, steps)))
    output = series_of(Later(shape, partial(_outputs, current, bias.clone())), total)
    return Activity(
        steps, sources, dict(sources), {}, Current(current), None, output, output, None, inflow=lambda: output
    )


def _currents(layer: Layer, own: Parameters, entries: list[Input], pre: dict[str, Series], steps: int) -> Tensor:
    raw = feed_forward_current(layer, own, entries, pre, {})
    assert raw is not None
    return raw.synaptic.over_time(steps)


def _outputs(current: Series, bias: Tensor) -> Tensor:
    return current.values + bias
