"""The drive of a layer's neurons: transmitted spikes, synaptic current, normalisation, bias, and injected current.

Normalisation is an affine map of the synaptic current. Where a compiled scan runs the neurons, the scan applies the
map; the normalised current is computed only if something reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from neurorules.contracts.connection import Shape
from neurorules.contracts.efficacy import VARIABLES, Efficacy
from neurorules.contracts.normalisation import CurrentStatistics, Normalisation, first_current_statistics, over_rows
from neurorules.contracts.series import Series
from neurorules.native import scans
from neurorules.network.layer import Input, Layer
from neurorules.network.network import Parameters


@dataclass(frozen=True)
class Current:
    """The current I = synaptic - shift of a layer, and the normalised current I^ = (I - mean) * gain.

    Args:
        synaptic: the current that the weights bring, (T, B, *shape) or constant (B, *shape), in units of the threshold.
        shift: the part of it that the running means of the inputs cause, (1, *shape); None for 0.
        mean, gain: the mean and the gain of the normalisation, (N,) or (C, 1, 1); None without normalisation.
    """

    synaptic: Series
    shift: Tensor | None = None
    mean: Tensor | None = None
    gain: Tensor | None = None

    @cached_property
    def shifted(self) -> Series:
        """The current I without the part that the running means of its inputs cause."""
        if self.shift is None:
            return self.synaptic
        return self.synaptic.like(self.synaptic.values - self.shift)

    @cached_property
    def normalised(self) -> Series:
        """The normalised current I^; the current I itself without normalisation."""
        if self.mean is None or self.gain is None:
            return self.shifted
        return self.synaptic.like((self.shifted.values - self.mean) * self.gain)

    def affine(self, shape: Shape, bias: Tensor | None = None) -> scans.Affine:
        """The affine map from the synaptic current to the drive of the neurons, as scans over flat neurons take it.

        Args:
            shape: the shape of the population.
            bias: the current added after the normalisation, (N,) or (C, 1, 1); None for none.

        Returns:
            Shift, mean, gain and bias, (N,) each.
        """
        parts = (self.shift, self.mean, self.gain, bias)
        return scans.Affine(*(None if part is None else flat(part, shape) for part in parts))

    def moments(self, steps: int, scan: scans.Scan | None = None) -> tuple[Tensor, Tensor] | None:
        """Means over rows of the current I and of its square, times steps.

        Args:
            steps: T.
            scan: the scan of the same window, which may have summed both over time; None if no scan ran.

        Returns:
            Mean and mean square, (N,) or (C, 1, 1) each, times T; None without normalisation.
        """
        if self.gain is None:
            return None
        shape = self.synaptic.shape
        if scan is not None and scan.current_sum is not None and scan.square_sum is not None:
            return over_rows(scan.current_sum.reshape(-1, *shape)), over_rows(scan.square_sum.reshape(-1, *shape))
        rows = self.shifted.rows()
        return over_rows(rows) * steps, over_rows(rows.square()) * steps


@dataclass(frozen=True)
class Drive:
    """The currents that reach the neurons of a layer, apart from its own recurrent current.

    Args:
        current: the synaptic current with its normalisation; None for a layer that only an injected current drives.
        bias: the current added after the normalisation, (N,) or (C, 1, 1); None exactly if `current` is None.
        injected: a further current that is added; None for none.
        repeats: how often the rows of the current are repeated (`PhaseDrive.repeats`).
    """

    current: Current | None
    bias: Tensor | None
    injected: Series | None
    repeats: int = 1

    def for_scan(self, shape: Shape, training: bool) -> tuple[Series, scans.Affine, bool]:
        """Prepare the current for a scan. The scan normalises it if only weights and bias drive the layer.

        Args:
            shape: the shape of the population.
            training: whether the moments of the current are needed.

        Returns:
            The current, the affine map that the scan has to apply, and whether the scan has to sum the moments of the
            current.
        """
        if self.current is None or self.injected is not None or self.repeats > 1:
            return self.values(), scans.Affine(), False
        synaptic = self.current.synaptic
        moments = training and self.current.gain is not None and not synaptic.constant
        return synaptic, self.current.affine(shape, self.bias), moments

    def values(self) -> Series:
        """The sum of all these currents as one series, (T, B, *shape) or constant (B, *shape).

        Raises:
            LookupError: nothing drives the layer.
        """
        if self.current is not None and self.bias is not None:
            synaptic = self.current.normalised.repeated(self.repeats)
            return joined(Series(self.bias, True), joined(self.injected, synaptic))
        if self.injected is None:
            raise LookupError("neither weights nor an injected current drive the layer")
        return self.injected

    def inflow(self, layer: Layer, parameters: Parameters, late: dict[str, Series]) -> Series:
        """The whole current of the neurons in each step, with that of the layer's own spikes.

        Args:
            layer: the layer.
            parameters: the weights that the layer has run with.
            late: by recurrent input, the spikes of the step before, (T, B, *shape).

        Returns:
            The current, (T, B, *shape) or constant (B, *shape).
        """
        total, gain = self.values(), None if self.current is None else self.current.gain
        for entry in layer.inputs:
            if entry.name in late:
                own = late[entry.name].map_rows(partial(entry.connection.current, parameters[layer.weight_name(entry)]))
                total = joined(own if gain is None else own.like(own.values * gain), total)
        return total


def feed_forward_current(
    layer: Layer, parameters: Parameters, entries: list[Input], pre: dict[str, Series], pre_mean: dict[str, Tensor]
) -> Current | None:
    """The synaptic current of a layer, and the part of it that the running means of its inputs cause.

    Args:
        layer: the layer that the weights belong to.
        parameters: the network's.
        entries: its feed-forward inputs that are driven.
        pre: the activity that reaches the connection of each input, by input.
        pre_mean: running means to subtract, by input; empty for none.

    Returns:
        The raw current, with a shift of one row of products (1, *shape); None if no input is driven.
    """
    total: Series | None = None
    shift: Tensor | None = None
    for entry in entries:
        arrived = pre[entry.name]
        w = parameters[layer.weight_names[entry.name]]
        if entry.name in pre_mean:
            row = entry.connection.current(w, pre_mean[entry.name].expand(1, *entry.pre_shape))
            shift = row if shift is None else shift + row
        total = joined(total, arrived.map_rows(partial(entry.connection.current, w)))
    return None if total is None else Current(total, shift)


def normalised(
    normalisation: Normalisation, shape: Shape, statistics: CurrentStatistics | None, current: Current, training: bool
) -> Current:
    """Normalise the feed-forward current of a layer.

    Args:
        normalisation: the normalisation of the layer.
        shape: the shape of the population.
        statistics: running statistics of the current; fresh ones if None.
        current: the synaptic current.
        training: whether the statistics of the batch are used.

    Returns:
        The current with mean and gain.
    """
    statistics = statistics or first_current_statistics(shape, current.synaptic.values)
    rows = current.shifted.rows() if normalisation.reads_batch and training else current.synaptic.rows()
    mean, gain = normalisation.coefficients(statistics, rows, training)
    return replace(current, mean=mean, gain=gain)


def joined(a: Series | None, b: Series) -> Series:
    """Add two currents over time.

    Args:
        a: one of them; None for 0.
        b: the other.

    Returns:
        The sum, constant where both are.
    """
    return b if a is None else Series(a.values + b.values, a.constant and b.constant)


def transmitted(name: str, efficacy: Efficacy, arriving: Series, steps: int, traces: dict[str, Tensor]) -> Series:
    """The spikes that a connection transmits, each scaled by the efficacy of its synapse.

    Args:
        name: the name of the connection's input.
        efficacy: the short-term plasticity of its synapses.
        arriving: presynaptic activity, (T, B, *pre) or constant (B, *pre).
        steps: T.
        traces: state of the connection between windows, 2 x B x *pre numbers by name, updated in place; at rest where
            the names are missing.

    Returns:
        The transmitted activity, (T, B, *pre).
    """
    values = arriving.over_time(steps)
    names = [f"efficacy.{name}.{variable}" for variable in VARIABLES]
    use, depleted = (traces.get(name, torch.zeros_like(values[0])) for name in names)
    sent = torch.empty_like(values, memory_format=torch.contiguous_format)
    for t in range(steps):
        sent[t], use, depleted = efficacy.step(use, depleted, values[t])
    traces |= zip(names, (use, depleted), strict=True)
    return Series(sent, False)


def flat(value: Tensor, shape: Shape) -> Tensor:
    """Spread numbers of a population over its neurons.

    Args:
        value: one number per neuron, (*shape), or one per map, (C, 1, 1).
        shape: the shape of the population.

    Returns:
        One number per flat neuron, (N,).
    """
    return value.expand(1, *shape).reshape(-1)
