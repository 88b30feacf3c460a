"""Constants and state of the network. Times are in ms and voltages in mV, conductances in units of the leak."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

LONG_AGO = -(10**9)
"""The step of the last spike of a neuron that has not spiked."""
COLUMN_SUM = 78.0
"""The sum of the weights onto one neuron, for 784 inputs. Source: the 2024 Brian2 program of the experiment."""
PUBLISHED_INPUTS = 784
LAGS = 1600
"""The number of lags in the table of a trace, at steps of 0.5 ms: after 800 ms a trace with a time constant of 20 ms is
4e-18."""


class Population(NamedTuple):
    """One population of leaky integrate-and-fire neurons.

    Args:
        tau_ms: time constant of the membrane.
        rest_mV, reset_mV: the resting membrane, and the membrane after a spike.
        threshold_mV: the threshold of the membrane; for excitatory neurons, the threshold if theta is 0.
        clamped_ms: the time after a spike during which the membrane stays at its reset value.
        inhibition_mV: reversal potential of inhibition.
    """

    tau_ms: float
    rest_mV: float
    reset_mV: float
    threshold_mV: float
    clamped_ms: float
    inhibition_mV: float


EXCITATORY = Population(100.0, -65.0, -65.0, -72.0, 5.0, -100.0)
INHIBITORY = Population(10.0, -60.0, -45.0, -40.0, 2.0, -85.0)
"""The two populations. Source: the authors' program for Brian 1 (github.com/peter-u-diehl/stdp-mnist, b99f526). Its
timer of spikes runs a hundred times as fast as time, and so is past the refractory period of 5 ms when that ends.
Later programs for Brian2 slow it a thousandfold, and their neurons are silent for 50 ms after each spike."""


@dataclass(frozen=True)
class Constants:
    """The numbers of the network: those of the 2024 Brian2 program of the experiment, except for the step.

    A conductance decays within a step by its own exponential, and counts with its mean over the step (`share_e`,
    `share_i`), so that the charge of a spike does not depend on the step.

    Args:
        dt_ms: integration step.
        tau_e_ms, tau_i_ms: time constants of excitatory and inhibitory conductances.
        excites, inhibits: weights from an excitatory neuron to its inhibitory one, and back to all others.
        theta_mV: the initial value of the adaptive part of the threshold.
        theta_plus_mV: the increase of it at a spike.
        tau_theta_ms: its time constant.
        nu_pre, nu_post: depression at an input's spike, and potentiation at a neuron's.
        tau_pre_ms, tau_post1_ms, tau_post2_ms: time constants of the traces.
        longest_delay_ms: delays of input synapses are uniform from 0 to this.
    """

    dt_ms: float = 0.5
    tau_e_ms: float = 1.0
    tau_i_ms: float = 2.0
    excites: float = 10.4
    inhibits: float = 17.0
    theta_mV: float = 20.0
    theta_plus_mV: float = 0.05
    tau_theta_ms: float = 1e7
    nu_pre: float = 1e-4
    nu_post: float = 1e-2
    tau_pre_ms: float = 20.0
    tau_post1_ms: float = 20.0
    tau_post2_ms: float = 40.0
    longest_delay_ms: float = 10.0

    @property
    def share_e(self) -> float:
        """Mean over a step of an excitatory conductance that begins the step at 1."""
        return -math.expm1(-self.dt_ms / self.tau_e_ms) * self.tau_e_ms / self.dt_ms

    @property
    def share_i(self) -> float:
        """Mean over a step of an inhibitory conductance that begins the step at 1."""
        return -math.expm1(-self.dt_ms / self.tau_i_ms) * self.tau_i_ms / self.dt_ms

    def steps(self, time_ms: float) -> int:
        """The number of steps in a time."""
        return round(time_ms / self.dt_ms)

    def table(self, tau_ms: float) -> Tensor:
        """The value of a trace by the number of steps since it was 1; the last entry stands for all longer lags, and is
        0.
        """
        trace = torch.exp(-torch.arange(LAGS, dtype=torch.float64) * self.dt_ms / tau_ms)
        trace[-1] = 0.0
        return trace


@dataclass(frozen=True)
class State:
    """The numbers that change in place at each step, and the delays, for I inputs and N neurons of each kind.

    Args:
        w: weights from inputs to excitatory neurons, in [0, 1], (I, N) float64.
        delays: the delays of these synapses, in steps, (I, N) int32.
        last_arrival: the step in which the last spike arrived at each of these synapses, (I, N) int32.
        v, g_e, g_i, theta: membrane, conductances and adaptive threshold of excitatory neurons, (N,) float64.
        last: step of their last spikes, (N,) int64.
        inhibitory_v, inhibitory_g, inhibitory_last: membrane, conductance and last spike of inhibitory neurons.
        step: number of steps that have passed, (1,) int64.
    """

    w: Tensor
    delays: Tensor
    last_arrival: Tensor
    v: Tensor
    g_e: Tensor
    g_i: Tensor
    theta: Tensor
    last: Tensor
    inhibitory_v: Tensor
    inhibitory_g: Tensor
    inhibitory_last: Tensor
    step: Tensor

    @cached_property
    def by_delay(self) -> tuple[Tensor, Tensor]:
        """The neurons of each input in the order of their delays, (I, N), and the place where each delay begins in this
        order, (I, D + 2).
        """
        in_order, order = torch.sort(self.delays.long(), dim=1, stable=True)
        wanted = torch.arange(int(self.delays.max()) + 2).repeat(len(self.delays), 1)
        return order.int(), torch.searchsorted(in_order, wanted).int()


def random_state(inputs: int, neurons: int, random: np.random.Generator, constants: Constants) -> State:
    """Draw weights and delays of a network at rest.

    Args:
        inputs, neurons: I and N, >= 1.
        random: the generator of the draws.
        constants: the constants of the network.

    Returns:
        The state. Weights are uniform within 0.003 and 0.303, then scaled by `normalise`.
    """
    size = (inputs, neurons)
    delays = np.rint(random.uniform(0, constants.longest_delay_ms, size) / constants.dt_ms)

    def full(value: float) -> Tensor:
        return torch.full((neurons,), value, dtype=torch.float64)

    def never() -> Tensor:
        return torch.full((neurons,), LONG_AGO)

    state = State(
        torch.from_numpy(0.3 * (random.random(size) + 0.01)), torch.from_numpy(delays.astype(np.int32)),
        torch.full(size, LONG_AGO, dtype=torch.int32), full(EXCITATORY.rest_mV), full(0.0), full(0.0),
        full(constants.theta_mV), never(), full(INHIBITORY.rest_mV), full(0.0), never(),
        torch.zeros(1, dtype=torch.long),
    )  # fmt: skip
    normalise(state.w)
    return state


def normalise(w: Tensor) -> None:
    """Scale the weights onto each neuron, in place, so that their sum is 78 for 784 inputs, and proportional to the
    number of inputs otherwise.
    """
    w *= COLUMN_SUM * len(w) / PUBLISHED_INPUTS / w.sum(0)
