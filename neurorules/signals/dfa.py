"""Direct feedback alignment: every layer is given the output error through a fixed random matrix of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, spread_in_time
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import View, bought
from neurorules.signals._feedback import direct_feedback, feedback_name


@dataclass(frozen=True)
class DirectFeedback(Signal):
    """m_l = B_l e, e the derivative of the loss by the output (softmax(y) - one-hot for classes), B_l (N_l x outputs)
    fixed. Source: Nokland 2016. Where steps count one by one, e is that of the step."""

    needs = frozenset({"target", "output_error", "fixed_feedback"})
    tasks = frozenset(TASKS)
    steps_apart = True

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        return direct_feedback(net, generator)

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        error = bought(view.output_error, "output_error")
        m = torch.tensordot(error, state[feedback_name(view.layer.name)], 1)
        return ThirdFactor({"input": spread_in_time(m, view.layer.shape, view.steps)}, {}, {})


ENTRY = DirectFeedback
