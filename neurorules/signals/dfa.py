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
            weights, where it reads every hidden layer.
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
        read = sorted(prod(shape[1:]) for shape in net.layers[-1].weights.values())
        if self.feedback == "symmetric" and read != sorted(prod(layer.shape) for layer in net.hidden):
            raise UserError(
                "feedback=symmetric sends errors back through the weights of the read-out, which here does not read "
                "every hidden layer whole. Use a net of one hidden layer, such as --net r100, let the read-out read "
                "all of them (--readout all), or use feedback=random"
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
            weights = bought(view.weights, "weight_transport")
            matrix = next(weights[name] for name in view.net.layers[-1].weights if name in weights).reshape(-1, *shape)
        return ThirdFactor({"input": spread_in_time(torch.tensordot(error, matrix, 1), shape, view.steps)}, {}, {})


ENTRY = DirectFeedback
