"""Weight mirroring: errors are carried down through feedback weights that noise makes approach the transpose of W."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import View, from_above, require
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, Fraction, ranged
from neurorules.signals._feedback import layer_feedback, layer_feedback_name
from neurorules.signals._mirroring import generator_of
from neurorules.signals._projection import angle_deg


@ranged("signal 'weight_mirroring'")
@dataclass(frozen=True)
class WeightMirroring(Signal):
    """m_l[t] = B_{l+1} dI_{l+1}[t], as in `fa`, and B <- (1 - rate) B + rate mean(x y^T) after each trial.

    x are random signs at the synapses of W, drawn again in each trial, and y = W x is the resulting current. The mean
    of x y^T is W^T, so B approximates W^T, with a random error that decreases with the number of rows. The first trials
    are weighted equally. Source: Akrout et al. 2019.

    Args:
        rows: number of noise vectors that pass through each matrix in a trial, >= 1.
        rate: share of B that the estimate from one trial's noise replaces, in [0, 1].
    """

    rows: Count = 128
    rate: Fraction = 0.02

    needs = frozenset({"target", "output_error", "noise_phase", "above", "history"})
    moves = MappingProxyType({"trial": "count", "feedback.*": "mirrors of the forward weights"})
    tasks = frozenset(TASKS)
    steps_apart = True
    varies = True

    def check(self, net: NetShape) -> None:
        for layer in net.layers:
            for name, shape in layer.weights.items():
                if len(shape) == 3:
                    raise UserError(
                        f"weight mirroring learns matrices of weights, and '{name}' belongs to a connection of rings. "
                        f"Use dense, recurrent or convolutional connections, or the rule fa"
                    )

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        # No error is carried back to the network's input, so its weights need no feedback.
        unread = {layer_feedback_name(name) for name in net.layers[0].weights if key_of(name).connection == "ff"}
        drawn = layer_feedback(net, generator)
        return {
            **{name: matrix for name, matrix in drawn.items() if name not in unread},
            "seed": torch.randint(2**31, (), generator=generator),
            "trial": torch.zeros((), dtype=torch.int64),
        }

    def observe(self, state: SignalState, sample: Series, labels: Shaped[Tensor, "B *targets"] | None) -> SignalState:
        return {"trial": state["trial"] + 1}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        read: list[str] = []

        def feedback(weights: str) -> Tensor:
            read.append(weights)
            matrix: Tensor = state[layer_feedback_name(weights)]
            return matrix

        m = from_above(view, feedback)
        moved = {layer_feedback_name(name): self._moved(state, view, name) for name in read}
        return ThirdFactor({"input": m}, {}, moved)

    def measures(self, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape) -> dict[str, float]:
        names = [name for layer in net.layers for name in layer.weights if layer_feedback_name(name) in state]
        return {"feedback_angle_deg": fmean(angle_deg(parameters[n], state[layer_feedback_name(n)]) for n in names)}

    def _moved(self, state: SignalState, view: View, weights: str) -> Float[Tensor, "*weights"]:
        """The feedback weights for one weight matrix after the noise of a trial."""
        before, trial = state[layer_feedback_name(weights)], int(state["trial"])
        generator = generator_of(state["seed"], trial, sum(weights.encode()))
        single = before.ndim == 1  # of neurons that read themselves alone
        sources = before.shape if single else before.shape[1:]
        signs = torch.randint(0, 2, (self.rows, *sources), generator=generator) * 2 - 1
        x = signs.to(before)
        y = require(view.answer, "noise_phase")(weights, x)
        share = max(self.rate, 1 / trial)
        together = (y * x).sum(0) if single else (y.T @ x.flatten(1)).reshape(before.shape)
        return (1 - share) * before + share * together / self.rows


ENTRY = WeightMirroring
