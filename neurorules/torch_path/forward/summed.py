"""A read-out without memory, whose output summed over time follows from the sums over time of what it reads.

Its output at every step, one product over time and batch, is computed when it is first read.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from torch import Tensor

from neurorules.contracts.series import Later, Series, series_of
from neurorules.network.layer import Input, Layer
from neurorules.network.network import Parameters
from neurorules.torch_path.forward.drive import Current, feed_forward_current

Variable = Literal["v", "spikes", "output"]
"""Activity at every step that may not be worth storing: membranes, spikes, or the output of a read-out."""


def sums_first(layer: Layer) -> bool:
    """Whether the output of a layer, summed over time, is linear in the sums of what it reads."""
    dynamics = layer.dynamics
    if layer.role != "readout" or layer.neuron.spiking or layer.normalisation is not None or dynamics is None:
        return False
    return layer.forgets and dynamics.reset == "none" and all(_is_linear(entry) for entry in layer.inputs)


def _is_linear(entry: Input) -> bool:
    connection = entry.connection
    return connection.linear and not connection.recurrent and connection.efficacy is None and not entry.transforms


def sums_known(pre: dict[str, Series]) -> bool:
    """Whether the sums over time of all inputs are known, and some input varies in time."""
    varying = [series for series in pre.values() if not series.constant]
    return bool(varying) and all(series.summed is not None for series in varying)


def run_summed(
    layer: Layer, parameters: Parameters, entries: list[Input], pre: dict[str, Series], steps: int
) -> tuple[Current, Series]:
    """Run a read-out for which `sums_first` is true.

    Args:
        layer: the read-out.
        parameters: the network's.
        entries: its inputs that are driven.
        pre: the activity that reaches the connection of each input, (T, B, *pre) or constant (B, *pre), by input.
        steps: T.

    Returns:
        Its current, and its output, (T, B, *shape) both, of which only the sum of the output has been computed.
    """
    bias = parameters[layer.bias_name]
    total: Tensor = steps * bias
    for entry in entries:
        w = parameters[layer.weight_names[entry.name]]
        total = entry.connection.current(w, pre[entry.name].total(steps)) + total
    names = [layer.bias_name, *(layer.weight_names[entry.name] for entry in entries)]
    own = {name: parameters[name].clone() for name in names}  # those of the net change in place
    shape = steps, len(total), *layer.shape

    current = series_of(Later(shape, partial(_currents, layer, own, entries, pre, steps)))
    return Current(current), series_of(Later(shape, partial(_outputs, current, own[layer.bias_name])), total)


def _currents(layer: Layer, own: Parameters, entries: list[Input], pre: dict[str, Series], steps: int) -> Tensor:
    raw = feed_forward_current(layer, own, entries, pre, {})
    assert raw is not None
    return raw.synaptic.over_time(steps)


def _outputs(current: Series, bias: Tensor) -> Tensor:
    return current.values + bias
