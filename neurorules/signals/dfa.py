"""Direct feedback alignment: the output error is broadcast to every layer, through a separate matrix for each layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal

import torch
from torch import Tensor

from neurorules.connections._products import times_transposed
from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, spread_in_time
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import Every, View, require
from neurorules.language.errors import UserError
from neurorules.neurons.leaky_readout import LeakyReadout
from neurorules.signals._feedback import direct_feedback, feedback_name
from neurorules.signals._low_pass import traces

THROUGH = {"random": "fixed_feedback", "symmetric": "weight_transport", "adaptive": "local_readout"}
"""The need that each kind of feedback requires."""


@dataclass(frozen=True)
class DirectFeedback(Signal):
    """m_l = B_l e, where e is the derivative of the loss with respect to the output (softmax(y) - one-hot for classes).
    Source: Nokland 2016.

    If the output of each step has an error of its own, so has m: this is the broadcast signal of Bellec et al. 2020.

    Args:
        feedback: random, for B_l (N_l x outputs) that are drawn once; symmetric, for the transpose of the read-out's
            weights, which must then read every hidden layer; or adaptive, for B_l that start at random and receive the
            same changes as the read-out's weights (Kolen & Pollack 1994; here neither decays).
        error: graded, for e itself; or sign, for the sign of e at each output, 0 where the error is 0.
    """

    feedback: Literal["random", "symmetric", "adaptive"] = "random"
    error: Literal["graded", "sign"] = "graded"
    tasks = frozenset(TASKS)
    steps_apart = True
    timing = "error"
    reads_out = frozenset({"feedback"})

    @cached_property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The output error, and the feedback: fixed random weights, the read-out's weights, or a copy that learns."""
        return frozenset({"target", "output_error", THROUGH[self.feedback]})

    @cached_property
    def every(self) -> Every | None:  # type: ignore[override]
        """The spikes of each step, if the feedback learns."""
        return "spikes" if self.feedback == "adaptive" else None

    def check(self, net: NetShape) -> None:
        read = sorted(prod(shape[1:]) for shape in net.layers[-1].weights.values())
        if self.feedback != "random" and read != sorted(prod(layer.shape) for layer in net.hidden):
            raise UserError(
                f"feedback={self.feedback} follows the weights of the read-out, which here does not read every hidden "
                f"layer whole. Use a net of one hidden layer, such as --net r100, let the read-out read all of them "
                f"(--readout all), or use feedback=random"
            )
        if self.feedback == "adaptive" and not isinstance(net.layers[-1].neuron, LeakyReadout):
            raise UserError(
                "feedback=adaptive learns as a read-out that leaks and never spikes does, and here it is another. Use "
                "--readout-neuron leaky_readout, or feedback=random"
            )

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        return direct_feedback(net, generator) if self.feedback == "random" else {}

    def parameters(self, net: NetShape, generator: torch.Generator) -> dict[str, Tensor]:
        return direct_feedback(net, generator) if self.feedback == "adaptive" else {}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        error, name, shape = require(view.output_error, "output_error"), view.layer.name, view.layer.shape
        if self.feedback == "symmetric":
            weights = require(view.weights, "weight_transport")
            matrix = next(weights[own] for own in view.net.layers[-1].weights if own in weights).reshape(-1, *shape)
        else:
            matrix = (state if self.feedback == "random" else parameters)[feedback_name(name)]
        learned = {feedback_name(name): self._as_read_out(error, view)} if self.feedback == "adaptive" else {}
        if self.error == "sign":
            error = error.sign() if error.ndim == 2 else error.sign() / (view.scored or view.steps)
        m = times_transposed(error.flatten(0, -2), matrix.flatten(1).T).reshape(*error.shape[:-1], *shape)
        return ThirdFactor({"input": spread_in_time(m, shape, view.steps)}, learned, {})

    def _as_read_out(self, error: Tensor, view: View) -> Tensor:
        """The gradient that read-out weights from this layer would have, of shape (outputs, *shape)."""
        readout = view.net.layers[-1].neuron
        assert isinstance(readout, LeakyReadout)
        low_pass = traces(view.every["input"].flatten(2), readout.beta)
        each = spread_in_time(error, error.shape[-1:], view.steps).over_time(view.steps)
        return torch.einsum("tbc,tbn->cn", each, low_pass).reshape(-1, *view.layer.shape)


ENTRY = DirectFeedback
