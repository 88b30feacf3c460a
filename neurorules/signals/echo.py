"""Echoes: a layer's spikes are compared with its average response to earlier samples of each class (ESPP)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.running_mean import RATE, RunningMean, start_at
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time, one_hot
from neurorules.contracts.view import View, require
from neurorules.language.ranges import NonNegative, ranged
from neurorules.signals._features import feature_count, from_features, to_features


@ranged("signal 'echo'")
@dataclass(frozen=True)
class Echo(Signal):
    """m = -sum_c y_c q_c, where the echo q_c is the running mean of the neuron's spikes for samples of class c.

    y_c is 1 for the sample's class and -1 / (C - 1) for each of the other C - 1 classes, so that it counts as much as
    they do together. With `same` or `other`, a class contributes only if its similarity s q_c / sum(q_c), where s is
    the layer's mean spikes in the trial, is below `same` (for the sample's class) or above `other` (for another class).

    Source: Graf, Su & Indiveri 2024.

    Args:
        same: similarity to the sample's class above which nothing is learned, >= 0; None for no limit.
        other: similarity to another class below which nothing is learned, >= 0; None for no limit.
    """

    same: NonNegative | None = None
    other: NonNegative | None = None
    summary = "spikes"

    @cached_property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The label and, if there are limits of similarity, sums over the layer."""
        return frozenset({"target"} if self.timing == "step" else {"target", "layer_pool"})

    @cached_property
    def timing(self) -> Literal["step", "trial"]:  # type: ignore[override]
        """At each step if there are no limits; otherwise at the end of the trial, which the similarity is computed
        from."""
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
        own = one_hot(require(view.labels, "target"), view.net.classes, rates)
        # A class without samples so far, or one for which the layer was silent, has no echo.
        likeness = rates @ (q / q.sum(1, keepdim=True).clamp(min=torch.finfo(rates.dtype).tiny)).T
        below = likeness < (math.inf if self.same is None else self.same)
        above = likeness > (-math.inf if self.other is None else self.other)
        y = own - (1 - own) / (view.net.classes - 1)
        m = -(y * torch.where(own > 0, below, above)) @ q
        # Each sample moves only the mean of its class, by a share that does not depend on the other samples.
        apart = own.T @ rates / len(rates) - own.mean(0)[:, None] * before.value
        after = {name: before.updated(before.value + apart, len(rates), RATE)}
        return ThirdFactor({"input": constant_in_time(from_features(m, view.layer.shape), view.steps)}, {}, after)


ENTRY = Echo
