"""Backpropagation through space only: the output error of each step is carried down through the layers at that step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import View, from_above
from neurorules.signals._feedback import layer_feedback, layer_feedback_name


@dataclass(frozen=True)
class SpatialBackpropagation(Signal):
    """m_l[t] = B_{l+1} d_{l+1}[t], where d is the post factor that the layer above computes from its own m[t].

    Errors do not travel back in time, through membranes or recurrent connections, so m of a step is known as soon as
    the output error of that step is. Source: Xiao et al. 2022, arXiv 2210.04195.

    Args:
        feedback: transpose for B = W^T, or fixed for random weights that are drawn once, as in `fa`.
    """

    feedback: Literal["transpose", "fixed"] = "transpose"
    tasks = frozenset(TASKS)
    steps_apart = True
    varies = True
    timing = "error"

    @cached_property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The output error, the layers above, and the feedback: the forward weights above, or fixed random ones."""
        through = "weight_transport" if self.feedback == "transpose" else "fixed_feedback"
        return frozenset({"target", "output_error", "above", through})

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        return layer_feedback(net, generator) if self.feedback == "fixed" else {}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        fixed = (lambda name: state[layer_feedback_name(name)]) if self.feedback == "fixed" else None
        return ThirdFactor({"input": from_above(view, fixed)}, {}, {})


ENTRY = SpatialBackpropagation
