"""The numbers of a trained network as an ordinary Brian2 network: dv/dt equations, and synapses that add at spikes.

A step of torch is v[t] = beta u[t-1] + W s[t] + b, u the membrane after its reset. In a step n of Brian2's default
schedule a membrane x first moves by its equation, y = beta x + (1 - beta) E, is then compared with the threshold, and
last takes what spikes of the same step bring and its reset: x' = y + w s - theta S. With w = W/beta, E = b/(1 - beta)
and the start x = -b/beta, y of step n + 1 is v of step n: the same membranes, one step later for each layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np

from neurorules.brian2_steps.case import Arrays, LayerNorm
from neurorules.brian2_steps.folded import folded, lags_of, wired
from neurorules.contracts.neuron import Dynamics
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT, Layer
from neurorules.network.network import Network

Number = float | np.ndarray


@dataclass(frozen=True)
class OrdinarySynapses:
    """The synapses of one connection.

    Args:
        name: of the Brian2 object, such as "hidden1_ff".
        source: name of the presynaptic population.
        parameter: full name of the weights in the run, such as "hidden1.ff.w".
        pre, post: flat index of the neuron at each end, (n,) each.
        weights: what a spike adds to the membrane; of graded input, what an activity of 1 drives it to; (n,).
        delay: in steps, >= 0.
        graded: whether the source sends values and not spikes.
    """

    name: str
    source: str
    parameter: str
    pre: np.ndarray
    post: np.ndarray
    weights: np.ndarray
    delay: int
    graded: bool


@dataclass(frozen=True)
class OrdinaryLayer:
    """One population of an ordinary network, with the numbers of its equation and the synapses that end at it.

    Args:
        name: such as "hidden1".
        shape: of the population in the run.
        lag: the step of the network at which it takes its first step, >= 1: one more than that of what it reads.
        tau: time constant of the membrane in steps; infinite for a membrane that does not leak.
        bias: the potential to which the bias drives the membrane, or what it adds in a step where nothing leaks.
        start: the membrane one step before the first, (N,).
        reset: what a spike does; "late" is a subtraction one step after the spike, and None of a population that does
            not spike.
        threshold: > 0; of a population that does not spike it plays no part.
        drop: what a reset by subtraction takes away.
        counts: whether the population adds all that it receives, while that of the run remembers nothing.
        synapses: those that end here.
    """

    name: str
    shape: tuple[int, ...]
    lag: int
    tau: Number
    bias: np.ndarray
    start: np.ndarray
    reset: Literal["subtract", "late", "zero", "none"] | None
    threshold: Number
    drop: Number
    counts: bool
    synapses: tuple[OrdinarySynapses, ...]

    @property
    def size(self) -> int:
        """The number of neurons N of the population."""
        return prod(self.shape)

    @property
    def leaks(self) -> bool:
        """Whether the membrane decays between spikes, so that its time constant is finite."""
        return bool(np.isfinite(self.tau).all())


def ordinary_layers(
    network: Network, parameters: Arrays, normalisation: Mapping[str, LayerNorm], graded: bool
) -> tuple[OrdinaryLayer, ...]:
    """Compute the numbers of a network that no longer learns.

    Args:
        network: structure of the network.
        parameters: weights and biases by full name.
        normalisation: constants of normalised layers, by name, which become part of weights and biases.
        graded: whether its input is a value at each step and not spikes of 0 or 1.

    Returns:
        One population for each layer, in order.

    Raises:
        UserError: a layer has no such map; the message names it and says why.
    """
    lags = lags_of(network)
    return tuple(
        _layer(network, layer, index, parameters, normalisation.get(layer.name), graded, lags)
        for index, layer in enumerate(network.layers)
    )


def _layer(
    network: Network, layer: Layer, index: int, parameters: Arrays, norm: LayerNorm | None, graded: bool,
    lags: Mapping[int, int],
) -> OrdinaryLayer:  # fmt: skip
    dynamics, beta = _dynamics(layer), np.asarray(_numbers(layer)["beta"], dtype=np.float64)
    spiking, counts = layer.neuron.spiking, not layer.neuron.spiking and bool((beta == 0).all())
    beta = np.ones(()) if counts else beta
    if (beta == 0).any():
        why = "what a spike adds would be gone before the next step compares it with the threshold"
        raise _refused(layer, "a membrane that forgets all within a step (beta = 0)", why)
    if 0 < (beta == 1).sum() < beta.size:
        raise _refused(layer, "neurons with and without a leak", "they have one equation")
    leaks = bool((beta < 1).all())
    share = 1 - beta if leaks else np.ones(())
    gain, bias = folded(layer, parameters, norm)
    per_neuron = np.broadcast_to(beta, (prod(layer.shape),))
    synapses = []
    for afferent in layer.inputs:
        recurrent, values = afferent.connection.recurrent, graded and afferent.source == NETWORK_INPUT
        source = index if recurrent else afferent.source
        if values and lags[index] > 1:
            raise _refused(layer, "graded input beside other layers", "synapses of graded input have no delay")
        wiring, weights = wired(layer, afferent, parameters)
        scale = (gain / np.broadcast_to(share if values else beta, (prod(layer.shape),)))[wiring.post]
        synapses.append(
            OrdinarySynapses(
                f"{layer.name}_{afferent.name}", network.name_of(source),
                layer.weight_name(afferent), wiring.pre, wiring.post, weights * scale,
                0 if recurrent or values else lags[index] - 1 - lags[source], values,
            )
        )  # fmt: skip
    threshold = _numbers(layer)["v_threshold"] if spiking else np.inf
    late = dynamics.reset == "subtract" and dynamics.reset_delay
    with np.errstate(divide="ignore"):
        tau = -1 / np.log(beta)
    return OrdinaryLayer(
        layer.name, layer.shape, lags[index], tau, bias / share, -bias / per_neuron,
        ("late" if late else dynamics.reset) if spiking else None, threshold,
        threshold / beta if late else threshold, counts, tuple(synapses),
    )  # fmt: skip


def _dynamics(layer: Layer) -> Dynamics:
    """The leaky integrator that a layer's neurons are."""
    dynamics = layer.neuron.dynamics()
    if dynamics is None:
        raise _refused(
            layer, f"neurons of the kind {type(layer.neuron).__name__}",
            "the map is that of lif and if without a refractory period, and of the read-out",
        )  # fmt: skip
    return dynamics


def _numbers(layer: Layer) -> Mapping[str, Number]:
    return layer.neuron.brian2().numbers


def _refused(layer: Layer, what: str, why: str) -> UserError:
    return UserError(
        f"layer '{layer.name}' has {what}, and an ordinary Brian2 network cannot have that: {why}. Use --as stepped"
    )
