"""Direct feedback alignment: the output error, through a fixed random matrix of each layer's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from neurorules.signals._shared import NetShape, Signal, SignalState, ThirdFactor, View, constant_in_time


@dataclass(frozen=True)
class DirectFeedback(Signal):
    """m_l = B_l e, e = softmax(y) - one-hot, B_l (N_l x classes) fixed. Source: Nokland 2016."""

    needs = frozenset({"target", "output_error", "fixed_feedback"})

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        return {
            f"{layer.name}.feedback": torch.randn(net.classes, *layer.shape, generator=generator, dtype=torch.float64)
            * prod(layer.shape) ** -0.5
            for layer in net.hidden
        }

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        assert view.output_error is not None
        m = torch.tensordot(view.output_error, state[f"{view.layer.name}.feedback"], 1)
        return ThirdFactor({"input": constant_in_time(m, view.steps)}, {}, {})


ENTRY = DirectFeedback
