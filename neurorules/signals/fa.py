"""Feedback alignment: errors are carried down as in backpropagation, but through fixed random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import View, from_above
from neurorules.signals._feedback import layer_feedback, layer_feedback_name


@dataclass(frozen=True)
class FeedbackAlignment(Signal):
    """m_l[t] = B_{l+1} dI_{l+1}[t] with fixed B_{l+1} of the shape of W_{l+1}^T. Source: Lillicrap et al. 2016."""

    needs = frozenset({"target", "output_error", "fixed_feedback", "above", "history"})
    tasks = frozenset(TASKS)
    steps_apart = True
    varies = True

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        return layer_feedback(net, generator)

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        m = from_above(view, lambda name: state[layer_feedback_name(name)])
        return ThirdFactor({"input": m}, {}, {})


ENTRY = FeedbackAlignment
