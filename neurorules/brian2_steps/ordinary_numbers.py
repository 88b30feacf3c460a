"""The numbers of a trained network as an ordinary Brian2 network: dv/dt equations, and synapses that add at spikes.

A step of torch is v[t] = beta u[t-1] + W s[t] + b, u the membrane after its reset. In a step n of Brian2's default
schedule a membrane x first moves by its equation, y = beta x + (1 - beta) E, is then compared with the threshold, and
last takes the input from spikes of the same step, and its reset: x' = y + w s - theta S. With w = W/beta, E = b/(1 -
beta) and the start x = -b/beta, y of step n + 1 is v of step n: the same membranes, one step later for each layer.

The membrane of a refractory neuron does not move for some steps after a spike. Brian2 counts the step of the spike
among them, so that its period is one step longer, and input that arrives before the last of them is not added.

A synaptic current i[t] = alpha i[t-1] + W s[t] + b drives the membrane by its value of the step. It is a second
equation, y_i = alpha x_i + (1 - alpha) E and x_i' = y_i + w s, which counts in the potential to which it drives the
membrane: w = W/(1 - beta), E = b/((1 - alpha)(1 - beta)). Exponential Euler holds it during a step, as torch does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np

from neurorules.brian2_steps.case import Arrays, LayerNorm
from neurorules.brian2_steps.folded import folded, lags_of, wired
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT, Input, Layer
from neurorules.network.network import Network
from neurorules.neurons._integrator import Integrator
from neurorules.neurons._learned_numbers import LearningSynaptic
from neurorules.neurons._refractory import Refractory
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.neurons._words import word_of

Number = float | np.ndarray


@dataclass(frozen=True)
class OrdinarySynapses:
    """The synapses of one connection.

    Args:
        name: the name of the Brian2 object, such as "hidden1_ff".
        source: name of the presynaptic population.
        parameter: full name of the weights in the run, such as "hidden1.ff.w".
        pre, post: flat index of the neuron at each end, (n,) each.
        weights: the increase of the membrane, or of its synaptic current, by a spike; for graded input, the potential
            to which an activity of 1 drives it; (n,).
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
        shape: the shape of the population in the run.
        lag: the step of the network at which it takes its first step, >= 1: one more than the largest of the
            populations that it reads.
        tau: time constant of the membrane in steps; infinite for a membrane that does not leak.
        bias: the potential to which the bias drives the membrane, or what it adds in a step where nothing leaks.
        start: the membrane one step before the first, (N,).
        reset: the effect of a spike. After "subtract" a membrane that stays above the threshold spikes again above
            twice the threshold; "drop" is a plain subtraction of `drop`; None for a population that does not spike.
        threshold: the threshold, > 0; it is not used if the population does not spike.
        drop: the amount that a reset subtracts.
        counts: whether the population sums its input over a sample, in place of a population without memory in the run.
        synapses: the synapses that end here.
        tau_syn: time constant of the synaptic current in steps; None if spikes move the membrane itself. Then `bias`
            and `start` are those of the membrane, else the current begins and rests at the bias.
        refractory_steps: the number of steps after a spike in which the membrane does not move, >= 0.
    """

    name: str
    shape: tuple[int, ...]
    lag: int
    tau: Number
    bias: np.ndarray
    start: np.ndarray
    reset: Literal["subtract", "drop", "zero", "none"] | None
    threshold: Number
    drop: Number
    counts: bool
    synapses: tuple[OrdinarySynapses, ...]
    tau_syn: Number | None = None
    refractory_steps: int = 0

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
    cell = _cell(layer)
    beta, spiking = np.asarray(cell.beta, dtype=np.float64), layer.neuron.spiking
    counts = not spiking and bool((beta == 0).all())
    beta = np.ones(()) if counts else beta
    if (beta == 0).any():
        why = "what a spike adds would be gone before the next step compares it with the threshold"
        raise _refused(layer, "a membrane that forgets all within a step (beta = 0)", why)
    if 0 < (beta == 1).sum() < beta.size:
        raise _refused(layer, "neurons with and without a leak", "they have one equation")
    size, alpha = (prod(layer.shape),), cell.alpha
    leak = 1 - beta if bool((beta < 1).all()) else np.ones(())
    share = leak if alpha is None else (1 - alpha) * leak
    by_spikes, by_values = (np.broadcast_to(one, size) for one in (beta if alpha is None else leak, share))
    gain, bias = folded(layer, parameters, norm)
    synapses = []
    for afferent in layer.inputs:
        values = graded and afferent.source == NETWORK_INPUT
        scale = gain / (by_values if values else by_spikes)
        synapses.append(_synapses(network, layer, index, afferent, parameters, scale, lags, values))
    threshold = _numbers(layer)["v_threshold"] if spiking else np.inf
    start = -bias / np.broadcast_to(beta, size) if alpha is None else np.zeros(size)
    with np.errstate(divide="ignore"):
        tau = -1 / np.log(beta)
    return OrdinaryLayer(
        layer.name, layer.shape, lags[index], tau, bias / share, start,
        cell.reset if spiking else None, threshold,
        threshold / beta if cell.late and not cell.refractory_steps else threshold, counts, tuple(synapses),
        None if alpha is None else -1 / np.log(alpha), cell.refractory_steps,
    )  # fmt: skip


def _synapses(
    network: Network, layer: Layer, index: int, afferent: Input, parameters: Arrays, scale: np.ndarray,
    lags: Mapping[int, int], graded: bool,
) -> OrdinarySynapses:  # fmt: skip
    """The synapses of one input of a layer.

    Args:
        network: the structure of the network.
        layer, index: the layer and its index.
        afferent: the input.
        parameters: weights and biases by full name.
        scale: the factor of the weights that end at each neuron, (N,).
        lags: by layer, the step of the network at which it takes its first step.
        graded: whether the input sends values and not spikes.

    Returns:
        The synapses.

    Raises:
        UserError: synapses of graded input would have a delay.
    """
    recurrent = afferent.connection.recurrent
    source = index if recurrent else afferent.source
    if graded and lags[index] > 1:
        raise _refused(layer, "graded input beside other layers", "synapses of graded input have no delay")
    wiring, weights = wired(layer, afferent, parameters)
    return OrdinarySynapses(
        f"{layer.name}_{afferent.name}", network.name_of(source),
        layer.weight_name(afferent), wiring.pre, wiring.post, weights * scale[wiring.post],
        0 if recurrent or graded else lags[index] - 1 - lags[source], graded,
    )  # fmt: skip


@dataclass(frozen=True)
class _Cell:
    """The numbers of a layer's neurons: `alpha` is the decay of a synaptic current, None if there is none, and `late`
    says whether a reset by subtraction acts one step after its spike.
    """

    beta: Number
    alpha: np.ndarray | None
    reset: Literal["subtract", "drop", "zero", "none"]
    late: bool
    refractory_steps: int


def _cell(layer: Layer) -> _Cell:
    """The numbers of the leaky integrator that a layer's neurons are, with refractoriness and synaptic current."""
    neuron, refractory_steps = layer.neuron, 0
    if isinstance(neuron, Refractory):
        refractory_steps, neuron = neuron.period, neuron.neuron
    synaptic = type(neuron) in (SynapticIntegrator, LearningSynaptic)
    integrator = neuron if isinstance(neuron, Integrator) else None
    dynamics = neuron.dynamics()
    if dynamics is None and not synaptic:
        raise _refused(
            layer, f"neurons of the kind {word_of(neuron)}",
            "the map is that of lif, if and cuba_lif, with or without a refractory period, and of the read-out",
        )  # fmt: skip
    reset = integrator.reset if integrator is not None else "none"
    late = integrator is not None and integrator.reset_delay
    if synaptic and reset == "zero" and late and not refractory_steps:
        why = "it wipes out the synaptic current of its step in the membrane too"
        raise _refused(layer, "a reset to zero one step after the spike", why)
    numbers = _numbers(layer)
    alpha = np.asarray(numbers["alpha"], dtype=np.float64) if synaptic else None
    if alpha is not None and not ((alpha > 0) & (alpha < 1)).all():
        why = "it has no time constant"
        raise _refused(layer, "a synaptic current that vanishes within a step or never (alpha = 0 or 1)", why)
    # While a neuron waits, its membrane does not leak, so that a late reset subtracts the same amount as an immediate
    # one.
    drops = reset == "subtract" and (late or refractory_steps > 0)
    return _Cell(numbers["beta"], alpha, "drop" if drops else reset, late, refractory_steps)


def _numbers(layer: Layer) -> Mapping[str, Number]:
    return layer.neuron.brian2().numbers


def _refused(layer: Layer, what: str, why: str) -> UserError:
    return UserError(
        f"layer '{layer.name}' has {what}, and an ordinary Brian2 network cannot have that: {why}. Use --as stepped"
    )
