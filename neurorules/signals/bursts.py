"""Bursts: what reaches a neuron's dendrite from above decides how probably its events become bursts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Literal
from zlib import crc32

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.running_mean import REFERENCE, RunningMean, start_at
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import View, require
from neurorules.language.ranges import BelowOne, Positive, Range, ranged
from neurorules.signals._draws import key_of, uniform
from neurorules.signals._feedback import layer_feedback, layer_feedback_name

FIRST, SMALLEST = 1e-6, 1e-30
"""The mean square of a dendrite's potential before the first trial, and the smallest size or average to divide by."""
AVERAGES = ("events", "bursts", "square")
"""What each neuron has running means of: its events and bursts per step, and the square of its potential."""


@ranged("signal 'bursts'")
@dataclass(frozen=True)
class Bursts(Signal):
    """m = Pbar - b[t]: b is whether an event of this step is a burst, and Pbar how often the neuron's events were.

    Each spike is an event (an ensemble's event, a group of spikes), and becomes a burst with the probability
    P = sigmoid(logit(rest) + gain u / s). u is the potential of the apical dendrite, the sum of what the layers above
    send (the texts `sent`, such as bursts minus those expected) through fixed random weights, and s its running size.
    Pbar is the running mean of bursts over that of events, at most 1. Source: Payeur et al. 2021.

    Args:
        bursts: drawn, each with its probability; or expected, where the probability itself stands for the burst, as in
            a large ensemble.
        gain: change of log-odds by a potential of the usual size, above 0.
        rest: the probability of a burst without feedback, and Pbar before the first trial, within 0 and 1.
        events: events per step before the first trial, above 0.
        decay: decay of the averages per step, in [0, 1).
    """

    bursts: Literal["drawn", "expected"] = "drawn"
    gain: Positive = 4.0
    rest: Annotated[float, Range("(0, 1)")] = 0.5
    events: Positive = 0.025
    decay: BelowOne = 0.99966672

    needs = frozenset({"target", "output_error", "above", "fixed_feedback"})
    tasks = frozenset(TASKS)
    steps_apart = True
    varies = True
    timing = "error"
    every = "spikes"
    momentary = True

    @cached_property
    def draws(self) -> bool:  # type: ignore[override]
        """Whether bursts are drawn, with random numbers for each sample."""
        return self.bursts == "drawn"

    @cached_property
    def moves(self) -> Mapping[str, str]:  # type: ignore[override]
        """The number of the trial, if bursts are drawn in each trial."""
        return MappingProxyType({"trial": "count"} if self.draws else {})

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        like, state = torch.zeros((), dtype=torch.float64), layer_feedback(net, generator)
        for layer in net.hidden:
            for name, first in zip(AVERAGES, (self.events, self.rest * self.events, FIRST), strict=True):
                state[f"{layer.name}.{name}"] = start_at(first, layer.shape, like)
            state[f"{layer.name}.sums"] = torch.zeros(len(AVERAGES), *layer.shape, dtype=torch.float64)
        if self.draws:
            state["seed"] = torch.randint(2**31, (), generator=generator)
            state["trial"] = torch.zeros((), dtype=torch.int64)
        return state

    def observe(self, state: SignalState, sample: Series, labels: Shaped[Tensor, "B *targets"] | None) -> SignalState:
        return {"trial": state["trial"] + 1} if self.draws else {}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        name, spikes = view.layer.name, view.every["input"]
        above = require(view.above, "above")(lambda weights: state[layer_feedback_name(weights)])
        events, bursts, square = (state[f"{name}.{one}"] for one in AVERAGES)
        potential = above.over_time(len(spikes))
        size = square.value.sqrt().clamp(min=SMALLEST)
        burst = torch.sigmoid(potential * (self.gain / size) + math.log(self.rest / (1 - self.rest)))
        if self.draws:
            burst = self._drawn(burst, state, view)
        moved = self._averaged(state, view, torch.stack([spikes, spikes * burst, potential.square()]))
        return ThirdFactor({"input": Series(burst_share(bursts.value, events.value) - burst, False)}, {}, moved)

    def _drawn(self, probability: Float[Tensor, "W B *shape"], state: SignalState, view: View) -> Tensor:
        """Draw a burst or none at each step, neuron and sample. A draw depends on the step and not on the window of
        steps, so that windows of any length draw the same numbers."""
        key = key_of(state["seed"], state["trial"], crc32(view.layer.name.encode()))
        first = view.first * probability[0].numel()
        places = torch.arange(first, first + probability.numel(), device=probability.device).reshape(probability.shape)
        return (uniform(key, places) < probability).to(probability)

    def _averaged(self, state: SignalState, view: View, values: Float[Tensor, "3 W B *shape"]) -> SignalState:
        """The averages after the last step of a trial; after an earlier window, the sums so far."""
        name, samples = view.layer.name, values.shape[2]
        sums = state[f"{name}.sums"] + values.sum((1, 2))
        if view.first + values.shape[1] < view.steps:
            return {f"{name}.sums": sums}
        rate = 1 - self.decay ** (view.steps * REFERENCE)
        means = zip(AVERAGES, sums / (view.steps * samples), strict=True)
        averages: dict[str, RunningMean] = {
            one: state[f"{name}.{one}"].updated(mean, samples, rate) for one, mean in means
        }
        return {f"{name}.sums": torch.zeros_like(sums), **{f"{name}.{one}": value for one, value in averages.items()}}


def burst_share(bursts: Float[Tensor, "*shape"], events: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Pbar, the share of a neuron's events that were bursts.

    Args:
        bursts: the average of bursts, >= 0.
        events: the average of events, >= 0.

    Returns:
        Their ratio, at most 1; 0 for a neuron without events.
    """
    return (bursts / events.clamp(min=SMALLEST)).clamp(max=1)


ENTRY = Bursts
