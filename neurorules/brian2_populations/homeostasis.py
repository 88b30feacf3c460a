"""Homeostasis of a projection: scaling of weights that keeps the input, or the firing rate, of each neuron at a given
value.

Both multiply all weights that end at a neuron by one factor, so their ratios are unchanged, and none crosses zero. They
are Python functions that Brian2 calls, so they work in a run in this process, but not in a compiled program.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorules.brian2_steps.backend import load_brian2
from neurorules.language.errors import UserError


def weight_normalisation(synapses: Any, total: Any, every: Any, name: str = "normalisation*") -> Any:
    """Make an operation that scales the weights onto each neuron to a given sum, at the beginning and at regular
    intervals.

    Args:
        synapses: the synapses of `projection`; their weights are `w` if they learn, and otherwise `weight`.
        total: the sum, > 0, in the unit of these weights, for all neurons of the target or for each, (N,).
        every: interval, a time with Brian2's units.
        name: the name of the Brian2 object.

    Returns:
        A `brian2.NetworkOperation`, which has to be added to the network with the synapses. Neurons without weights, or
        with weights of 0 alone, are not changed.

    Raises:
        UserError: the sum is not positive or has another unit, or the interval is no time above 0.
    """
    variable = _weights(synapses)
    size = len(synapses.target)
    wanted = np.broadcast_to(_plain(total, variable.dim, "total", name), (size,))
    _check_positive(wanted, "total", name)

    def normalise() -> None:
        post, weights = np.asarray(synapses.j), variable.get_value()
        sums = np.bincount(post, weights, minlength=size)
        factor = np.divide(wanted, sums, out=np.ones(size), where=sums > 0)
        variable.set_value(weights * factor[post])

    return _operation(normalise, every, name)


def synaptic_scaling(
    synapses: Any, rate: Any, tau: Any, every: Any, high: Any = None, name: str = "scaling*"
) -> Any:  # fmt: skip
    """Make an operation that scales the weights onto each neuron until it fires at a given rate: tau dw/dt = w (1 -
    r/rate).

    r is the rate of the neuron since the last scaling, with which the equation is solved exactly: w grows by the factor
    exp(every/tau (1 - r/rate)). The input of a silent neuron grows, and that of a neuron that fires too often shrinks.
    Turrigiano et al. (1998) found that all synapses of a neuron scale together (https://doi.org/10.1038/36103); the
    equation is that of this library.

    Args:
        synapses: as for `weight_normalisation`. For inhibition choose another rule, since stronger inhibition lowers
            the rate.
        rate: the rate in Hz with Brian2's units, > 0, of all neurons of the target or of each, (N,).
        tau: time constant, with Brian2's units.
        every: interval between two scalings, with Brian2's units.
        high: largest weight in its unit; None for none.
        name: the name of the Brian2 object.

    Returns:
        A `brian2.NetworkOperation`, which has to be added to the network with the synapses. It contains its own monitor
        of spikes.

    Raises:
        UserError: a number is not positive or has another unit.
    """
    brian2 = load_brian2()
    variable, target = _weights(synapses), synapses.target
    wanted = np.broadcast_to(_plain(rate, brian2.Hz.dim, "rate", name), (len(target),))
    _check_positive(wanted, "rate", name)
    slowness = _plain(tau, brian2.second.dim, "tau", name)
    _check_positive(slowness, "tau", name)
    most = np.inf if high is None else _plain(high, variable.dim, "high", name)
    monitor = brian2.SpikeMonitor(target, record=False)
    time, earlier = 0.0, np.zeros(len(target))

    def scale() -> None:
        nonlocal time, earlier
        spikes = np.array(monitor.count, dtype=np.float64)
        now = float(operation.clock.variables["t"].get_value().item())
        elapsed = now - time
        if elapsed > 0:
            frequency = (spikes - earlier) / elapsed
            factor = np.exp(elapsed / slowness * (1 - frequency / wanted))
            variable.set_value(np.minimum(variable.get_value() * factor[np.asarray(synapses.j)], most))
        time, earlier = now, spikes

    operation = _operation(scale, every, name)
    operation.contained_objects.append(monitor)
    return operation


def _weights(synapses: Any) -> Any:
    """The variable of synapses that is their weight: `w` if they learn."""
    return synapses.variables["w" if "w" in synapses.variables else "weight"]


def _operation(function: Any, every: Any, name: str) -> Any:
    brian2 = load_brian2()
    _check_positive(_plain(every, brian2.second.dim, "every", name), "every", name)
    return brian2.NetworkOperation(function, dt=every, when="start", name=name)


def _plain(value: Any, dimensions: Any, what: str, name: str) -> np.ndarray:
    """A quantity as plain numbers of SI units.

    Raises:
        UserError: it has other dimensions.
    """
    brian2 = load_brian2()
    if brian2.get_dimensions(value) is not dimensions:
        unit = brian2.get_unit(dimensions)
        raise UserError(
            f"{what} of {name.rstrip('*')} is {value}, which is not a number of {unit}. Give one in this unit"
        )
    return np.asarray(value, dtype=np.float64)


def _check_positive(numbers: np.ndarray, what: str, name: str) -> None:
    if not (numbers > 0).all():
        raise UserError(f"{what} of {name.rstrip('*')} is {numbers.min():g}. Give a number above 0")
