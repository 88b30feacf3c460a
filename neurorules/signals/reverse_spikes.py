"""A reverse circuit of spikes: signed units on the mirrored path, gated by the state of the forward neurons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.neurons._signed import signed_spikes
from neurorules.series import Series
from neurorules.signals._shared import NetShape, Signal, SignalState, ThirdFactor, View, constant_in_time
from neurorules.streaming import RunningMean, start_at

RATE = 0.1
"""Share of the way to a trial of 128 samples' mean that a threshold's average moves; that of `torch_path.learn`."""
SMALLEST = 1e-6
"""Of a threshold: a neuron that hears nothing says nothing."""


@dataclass(frozen=True)
class ReverseSpikes(Signal):
    """After the forward run, T steps in which signed spikes travel back, each worth its unit's threshold.

    An output's unit integrates e at each step. A hidden unit integrates what the spikes above bring through the
    forward weights read backwards, times mean psi(v) of its forward neuron, and fires on towards the layer below.
    m = threshold x spike count / T. A hidden threshold is `quantum` times the running mean size of the unit's own
    input: a unit that hears little still speaks. Source: ours; signed spikes as in SpikeGrad (Thiele et al. 2019).

    Args:
        error_quantum: what an output's spike is worth, as a part of the largest error, 1; > 0.
        quantum: threshold of hidden units, > 0; small: more spikes, until one a step is not enough.

    Raises:
        UserError: a quantum that is not positive.
    """

    error_quantum: float = 0.5
    quantum: float = 0.5
    needs = frozenset({"target", "output_error", "weight_transport", "above", "reverse_circuit", "history"})
    every = "v"
    varies = True
    teaches_readout = True

    def __post_init__(self) -> None:
        if not (self.error_quantum > 0 and self.quantum > 0):
            raise UserError(
                f"signal 'reverse_spikes': error_quantum={self.error_quantum:g}, quantum={self.quantum:g} must be > 0"
            )

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        like = torch.zeros((), dtype=torch.float64)
        return {f"{layer.name}.heard": start_at(0.0, layer.shape, like) for layer in net.hidden}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        assert view.output_error is not None and view.above is not None and view.weights is not None
        steps, samples = view.steps, view.output_error.shape[0]
        if view.readout:
            current = view.output_error.expand(steps, *view.output_error.shape) / steps
            worth, moved = torch.tensor(self.error_quantum / steps).to(current), {}
        else:
            psi = view.layer.neuron.psi(view.every["input"]).mean(0)
            current = -view.above(view.weights.__getitem__).over_time(steps) * psi
            name = f"{view.layer.name}.heard"
            before: RunningMean = state[name]
            heard = before.updated(current.sum(0).abs().mean(0), samples, RATE)
            worth, moved = (self.quantum * heard.value).clamp(min=SMALLEST), {name: heard}
        spikes = signed_spikes(current, worth) * worth
        sent = Series(spikes if view.gain is None else spikes * view.gain, False)
        return ThirdFactor({"input": constant_in_time(spikes.sum(0), steps)}, {}, moved, sent)


ENTRY = ReverseSpikes
