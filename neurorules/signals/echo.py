"""Echoes: a layer's spikes are compared with what it did before, for samples of the same class and of others (ESPP)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.running_mean import RATE, RunningMean, start_at
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time, one_hot
from neurorules.contracts.view import View, bought
from neurorules.language.ranges import NonNegative, ranged
from neurorules.signals._features import feature_count, from_features, to_features


@ranged("signal 'echo'")
@dataclass(frozen=True)
class Echo(Signal):
    """m = -y q, averaged over classes, with q_c the neuron's running mean of its spikes for samples of class c.

    y is 1 for the sample's own class and -1 for another. Where gates are asked for, a class counts as long as the
    sample is not as predicted: its likeness s q_c / sum(q_c), with s the mean spikes of the trial, is below `same` for
    the own class, or above `other` for another. The own class weighs as much as all others together.

    Source: Graf, Su & Indiveri 2024.

    Args:
        same: likeness to the own class from which a sample teaches nothing, >= 0; None where every sample teaches.
        other: likeness to another class up to which a sample teaches nothing, >= 0; None where every sample teaches.
    """

    same: NonNegative | None = None
    other: NonNegative | None = None
    summary = "spikes"

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The label and, for likeness, sums over the layer."""
        return frozenset({"target"} if self.known == "step" else {"target", "layer_pool"})

    @property
    def known(self) -> Literal["step", "trial"]:  # type: ignore[override]
        """Before the trial, where every sample teaches; else at its end, since likeness is that of the trial."""
        return "step" if self.same is None and self.other is None else "trial"

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        like = torch.zeros((), dtype=torch.float64)
        return {
            f"{layer.name}.echo": start_at(0.0, (net.classes, feature_count(layer.shape)), like) for layer in net.hidden
        }

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        name, rates = f"{view.layer.name}.echo", to_features(view.summary["input"])
        before: RunningMean = state[name]
        q = before.value
        own = one_hot(bought(view.labels, "target"), view.net.classes, rates)
        # A class that has not been seen, or in which the layer was silent, has no echo.
        likeness = rates @ (q / q.sum(1, keepdim=True).clamp(min=torch.finfo(rates.dtype).tiny)).T
        below = likeness < (math.inf if self.same is None else self.same)
        above = likeness > (-math.inf if self.other is None else self.other)
        y = own - (1 - own) / (view.net.classes - 1)
        m = -(y * torch.where(own > 0, below, above)) @ q
        # Each sample moves the mean of its class, whatever the other samples are.
        apart = own.T @ rates / len(rates) - own.mean(0)[:, None] * before.value
        after = {name: before.updated(before.value + apart, len(rates), RATE)}
        return ThirdFactor({"input": constant_in_time(from_features(m, view.layer.shape), view.steps)}, {}, after)


ENTRY = Echo
