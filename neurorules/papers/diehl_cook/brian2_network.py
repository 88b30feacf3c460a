"""The network as ordinary Brian2 objects: receptors and a learning projection of `neurorules.brian2_populations`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import exp
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.brian2_populations import Pairs, conductance, projection, synaptic_equations
from neurorules.brian2_steps.backend import generating, load_brian2, run_network
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import Rule
from neurorules.native.diehl_cook import EXCITATORY, INHIBITORY, Constants, Population, State
from neurorules.papers.diehl_cook.network import Network
from neurorules.rules import RULES

CELL = "dv/dt = (1*nS*({rest!r}*mV - v) + I_syn)/({tau!r}*pF) : volt (unless refractory)\n"
"""A leak of 1 nS, so that a conductance in nS counts in units of the leak and a capacitance in pF is a time in ms."""
THETA = "dtheta/dt = -adapts*theta/({tau!r}*ms) : volt\nadapts : 1 (shared)\n"


def triplet_rule(c: Constants) -> Rule:
    """The paper's STDP: triplet STDP between nearest spikes, with the one term of potentiation by triplets and the one
    of depression by pairs.

    A presynaptic spike that arrives in the step of a postsynaptic spike counts neither for potentiation nor for
    depression.
    """
    taus_ms = {"r1": c.tau_pre_ms, "o1": c.tau_post1_ms, "o2": c.tau_post2_ms, "r2": c.tau_pre_ms}
    return replace(
        RULES.make("triplet_stdp:fit=visual_minimal:pairing=nearest"),
        constants={"a2_plus": 0.0, "a3_plus": c.nu_post, "a2_minus": c.nu_pre, "a3_minus": 0.0},
        traces=tuple(Trace(name, exp(-1 / tau_ms), spikes="nearest") for name, tau_ms in taus_ms.items()),
        bounds=(0.0, 1.0),
    )


class Brian2Network(Network):
    """The network as objects of Brian2. It is created by `open_network`, and can only be used inside its block.

    Args:
        state: the state from which weights, delays, membranes and thresholds are copied; it must be at rest.
        constants: the constants of the network.
    """

    def __init__(self, state: State, constants: Constants) -> None:
        self._brian2 = brian2 = load_brian2()
        self._constants, self._shape = constants, tuple(state.w.shape)
        self._clock = brian2.Clock(constants.dt_ms * brian2.ms)
        inputs, size = self._shape
        self._input = brian2.SpikeGeneratorGroup(inputs, [], [] * brian2.ms, clock=self._clock)
        receptors = [self._receptors(one) for one in (EXCITATORY, INHIBITORY)]
        (e, i), (to_inhibitory, _) = receptors
        self._cells = self._group(
            size, EXCITATORY, THETA.format(tau=constants.tau_theta_ms) + synaptic_equations(e, i),
            f"v > theta + {EXCITATORY.threshold_mV!r}*mV",
            f"; theta += adapts*{constants.theta_plus_mV!r}*mV",
        )  # fmt: skip
        relays = self._group(
            size, INHIBITORY, synaptic_equations(to_inhibitory), f"v > {INHIBITORY.threshold_mV!r}*mV", ""
        )
        self._cells.theta = state.theta.numpy() * brian2.mV
        pre, post = np.divmod(np.arange(inputs * size), size)
        self._learning = projection(
            self._input, self._cells, e, Pairs(pre, post), constants.share_e * brian2.nS, rule=triplet_rule(constants),
            w=state.w.numpy().ravel(), lr=1.0, delay=state.delays.numpy().ravel() * self._clock.dt, clock=self._clock,
        )  # fmt: skip
        same = np.arange(size)
        excites = projection(
            self._cells, relays, to_inhibitory, Pairs(same, same), constants.share_e * constants.excites * brian2.nS,
            clock=self._clock,
        )  # fmt: skip
        pre, post = np.nonzero(~np.eye(size, dtype=bool))
        inhibits = projection(
            relays, self._cells, i, Pairs(pre, post), constants.share_i * constants.inhibits * brian2.nS,
            clock=self._clock,
        )  # fmt: skip
        self._spikes = brian2.SpikeMonitor(self._cells)
        self._network = brian2.Network(
            self._input, self._cells, relays, self._learning, excites, inhibits, self._spikes
        )

    def _receptors(self, population: Population) -> tuple[Any, Any]:
        ms, mV = self._brian2.ms, self._brian2.mV
        return (
            conductance("e", "excitatory", self._constants.tau_e_ms * ms, 0 * mV),
            conductance("i", "inhibitory", self._constants.tau_i_ms * ms, population.inhibition_mV * mV),
        )

    def _group(self, size: int, population: Population, equations: str, threshold: str, reset: str) -> Any:
        brian2, p = self._brian2, population
        group = brian2.NeuronGroup(
            size, CELL.format(rest=p.rest_mV, tau=p.tau_ms) + equations, threshold=threshold,
            reset=f"v = {p.reset_mV!r}*mV{reset}", refractory=p.clamped_ms * brian2.ms, method="exponential_euler",
            clock=self._clock,
        )  # fmt: skip
        group.v = p.rest_mV * brian2.mV
        return group

    def present(self, steps: int, times: Tensor, inputs: Tensor, *, learns: bool, adapts: bool) -> Tensor:
        dt, first, before = self._clock.dt, round(float(self._network.t / self._clock.dt)), len(self._spikes.i)
        self._input.set_spikes(inputs.numpy(), (times.numpy() + first) * dt)
        self._learning.lr, self._cells.adapts = float(learns), float(adapts)
        run_network(self._network, steps * dt)
        spikes = torch.zeros(steps, self._shape[1], dtype=torch.uint8)
        when = np.rint(np.asarray(self._spikes.t / dt)[before:]).astype(int) - first
        spikes[when, np.asarray(self._spikes.i)[before:]] = 1
        return spikes

    @property
    def w(self) -> Tensor:
        return torch.from_numpy(np.array(self._learning.w).reshape(self._shape))

    def set_weights(self, w: Tensor) -> None:
        self._learning.w = w.numpy().ravel()

    @property
    def theta(self) -> Tensor:
        return torch.from_numpy(np.array(self._cells.theta / self._brian2.mV))


@contextmanager
def open_network(state: State, constants: Constants) -> Iterator[Brian2Network]:
    """Make the network in a session of its own, apart from the user's.

    Args:
        state: the initial state.
        constants: the constants of the network.

    Returns:
        A context manager that provides the network.
    """
    with generating(load_brian2(), "numpy"):
        yield Brian2Network(state, constants)
