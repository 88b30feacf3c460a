"""Feedback alignment: errors are carried down as in backpropagation, but through fixed random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import View, bought


@dataclass(frozen=True)
class FeedbackAlignment(Signal):
    """m_l[t] = B_{l+1} dI_{l+1}[t], B_{l+1} shaped like W_{l+1}^T, fixed. Source: Lillicrap et al. 2016."""

    needs = frozenset({"target", "output_error", "fixed_feedback", "above", "history"})
    tasks = frozenset(TASKS)
    steps_apart = True
    varies = True

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        state: SignalState = {}
        for layer in net.layers:
            for name, shape in layer.weights.items():
                scale = prod(shape[1:]) ** -0.5
                state[f"feedback.{name}"] = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
        return state

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        errors = bought(view.above, "above")(lambda name: state[f"feedback.{name}"])
        return ThirdFactor({"input": errors.like(-errors.values)}, {}, {})


ENTRY = FeedbackAlignment
