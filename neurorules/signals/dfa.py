"""Direct feedback alignment: the output error is broadcast to every layer, through a matrix of the layer's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, spread_in_time
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import View, bought
from neurorules.language.errors import UserError
from neurorules.signals._feedback import direct_feedback, feedback_name


@dataclass(frozen=True)
class DirectFeedback(Signal):
    """m_l = B_l e, e the derivative of the loss by the output (softmax(y) - one-hot for classes). Source: Nokland 2016.

    Where the output of each step makes an error of its own, m is that of the step: the broadcast of Bellec et al. 2020.

    Args:
        feedback: random, for B_l (N_l x outputs) that are drawn once; or symmetric, for the transpose of the read-out's
            weights, in nets of one hidden layer.
        error: graded, for e as it is; or sign, for its sign at each output, 0 where there is no error.
    """

    feedback: Literal["random", "symmetric"] = "random"
    error: Literal["graded", "sign"] = "graded"
    tasks = frozenset(TASKS)
    steps_apart = True
    known = "error"

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The error, and what it comes through: fixed feedback, or the read-out's weights."""
        return frozenset(
            {"target", "output_error", "fixed_feedback" if self.feedback == "random" else "weight_transport"}
        )

    def check(self, net: NetShape) -> None:
        read = prod(next(iter(net.layers[-1].weights.values()), ())[1:])
        if self.feedback == "symmetric" and (len(net.hidden) != 1 or read != prod(net.hidden[0].shape)):
            raise UserError(
                "feedback=symmetric sends errors back through the weights of the read-out, which reads the last hidden "
                "layer alone. Use a net of one hidden layer that it reads whole, such as --net r100, or feedback=random"
            )

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        return direct_feedback(net, generator) if self.feedback == "random" else {}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        error, shape = bought(view.output_error, "output_error"), view.layer.shape
        if self.error == "sign":
            error = error.sign() if error.ndim == 2 else error.sign() / (view.scored or view.steps)
        if self.feedback == "random":
            matrix = state[feedback_name(view.layer.name)]
        else:
            readout = next(iter(view.net.layers[-1].weights))
            matrix = bought(view.weights, "weight_transport")[readout].reshape(-1, *shape)
        return ThirdFactor({"input": spread_in_time(torch.tensordot(error, matrix, 1), shape, view.steps)}, {}, {})


ENTRY = DirectFeedback
