"""The drive of a layer's neurons: the normalised synaptic current, a bias, and an injected current."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from neurorules.contracts.connection import Shape
from neurorules.contracts.normalisation import CurrentStatistics, first_current_statistics
from neurorules.contracts.series import Series
from neurorules.native import scans
from neurorules.network.layer import Input, Layer, as_row
from neurorules.network.network import Parameters
from neurorules.torch_path.forward.current import Current


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
        The raw current, with a shift of one row of products (1, *shape); None where no input is driven.
    """
    total: Series | None = None
    shift: Tensor | None = None
    for entry in entries:
        arrived = pre[entry.name]
        w = parameters[layer.weight_name(entry)]
        if entry.name in pre_mean:
            row = entry.connection.current(w, as_row(pre_mean[entry.name], entry))
            shift = row if shift is None else shift + row
        total = joined(total, arrived.map_rows(partial(entry.connection.current, w)))
    return None if total is None else Current(total, shift)


def normalised(layer: Layer, statistics: CurrentStatistics | None, current: Current, training: bool) -> Current:
    """Normalise the feed-forward current of a layer.

    Args:
        layer: the layer that the normalisation belongs to.
        statistics: running statistics of the current; fresh ones if None.
        current: the synaptic current.
        training: whether the statistics of the batch are used.

    Returns:
        The current with mean and gain; unchanged without normalisation.
    """
    if layer.normalisation is None:
        return current
    statistics = statistics or first_current_statistics(layer.shape, current.synaptic.values)
    rows = current.shifted.rows() if layer.normalisation.reads_batch and training else current.synaptic.rows()
    mean, gain = layer.normalisation.coefficients(statistics, rows, training)
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
