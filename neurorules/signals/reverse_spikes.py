"""A reverse circuit of spikes: units with signed spikes mirror the network, gated by the state of its neurons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.running_mean import RATE, RunningMean, start_at
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time
from neurorules.contracts.view import View, from_above, require
from neurorules.language.ranges import Count, Positive, ranged
from neurorules.neurons._signed import signed_spikes

FIRST, SMALLEST = 1e-4, 1e-9
"""The initial value of the running mean of a unit's input size, and the smallest threshold."""


@ranged("signal 'reverse_spikes'")
@dataclass(frozen=True)
class ReverseSpikes(Signal):
    """After the forward run, signed spikes travel back for T steps; each spike has the size of its unit's threshold.

    The unit of an output integrates the error e. The unit of a hidden neuron integrates the reverse spikes from above,
    which arrive through the forward weights read backwards, times the mean psi(v) of its neuron; it sends spikes to the
    layer below. m = threshold x spike count / T. The threshold of a unit is its range / (T burst). The range is 1, the
    largest error, at the output; in a hidden layer it is `reach` times the running mean size of the unit's own input.

    Args:
        burst: largest number of spikes that a unit sends in one step, >= 1; it determines the resolution.
        reach: range of hidden units, as a multiple of the mean size of their input, > 0.

    Raises:
        UserError: a value is outside its range.
    """

    burst: Count = 4
    reach: Positive = 8.0
    needs = frozenset({"target", "output_error", "weight_transport", "above", "reverse_circuit", "history"})
    every = "v"
    varies = True
    teaches_readout = True

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        like = torch.zeros((), dtype=torch.float64)
        heard = {f"{layer.name}.heard": start_at(FIRST, layer.shape, like) for layer in net.hidden}
        return heard | {f"{layer.name}.spikes": start_at(0.0, (), like) for layer in net.layers}

    def measures(self, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape) -> dict[str, float]:
        counts = {layer.name: float(state[f"{layer.name}.spikes"].value) for layer in net.layers}
        return {f"reverse_spikes_per_sample.{name}": count for name, count in counts.items()}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        error = require(view.output_error, "output_error")
        steps, samples, name = view.steps, error.shape[0], view.layer.name
        moved: SignalState = {}
        if view.readout:
            current = error.expand(steps, *error.shape) / steps
            width = torch.ones_like(current[0, 0])
        else:
            psi = view.layer.neuron.psi(view.every["input"]).mean(0)
            current = from_above(view).over_time(steps) * psi
            before: RunningMean = state[f"{name}.heard"]
            width = self.reach * before.value
            moved[f"{name}.heard"] = before.updated(current.sum(0).abs().mean(0), samples, RATE)
        threshold = (width / (steps * self.burst)).clamp(min=SMALLEST)
        spikes = signed_spikes(current, threshold, self.burst)
        count: RunningMean = state[f"{name}.spikes"]
        moved[f"{name}.spikes"] = count.updated(spikes.abs().sum() / samples, samples, RATE)
        sent = spikes * threshold
        m = constant_in_time(sent.sum(0), steps)
        return ThirdFactor({"input": m}, {}, moved, Series(sent if view.gain is None else sent * view.gain, False))


ENTRY = ReverseSpikes
