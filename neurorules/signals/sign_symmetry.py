"""Sign symmetry: feedback weights have the signs of the forward weights, but other magnitudes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal

import torch
from jaxtyping import Shaped
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import View, from_above, require
from neurorules.language.ranges import ranged
from neurorules.signals._mirroring import generator_of


@ranged("signal 'sign_symmetry'")
@dataclass(frozen=True)
class SignSymmetry(Signal):
    """m_l[t] = B_{l+1} dI_{l+1}[t] with B = M sign(W^T). Sources: Liao, Leibo & Poggio 2016; Xiao et al. 2019.

    Args:
        sizes: the magnitudes M: uniform, one number per layer; fixed, drawn once; redrawn, drawn again in each trial.
            All have the mean square 1/fan-in.
    """

    sizes: Literal["uniform", "fixed", "redrawn"] = "uniform"

    tasks = frozenset(TASKS)
    steps_apart = True
    varies = True

    @cached_property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The signs of the weights above and, for magnitudes that are drawn once, fixed feedback."""
        own = {"target", "output_error", "weight_sign", "above", "history"}
        return frozenset(own | ({"fixed_feedback"} if self.sizes == "fixed" else set()))

    @cached_property
    def moves(self) -> Mapping[str, str]:  # type: ignore[override]
        """The number of the trial, if magnitudes are drawn in each trial."""
        return {"trial": "count"} if self.sizes == "redrawn" else {}

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        if self.sizes == "redrawn":
            return {
                "seed": torch.randint(2**31, (), generator=generator),
                "trial": torch.zeros((), dtype=torch.int64),
            }
        state: SignalState = {}
        for layer in net.layers if self.sizes == "fixed" else ():
            for name, shape in layer.weights.items():
                drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
                state[f"sizes.{name}"] = drawn.abs() * prod(shape[1:]) ** -0.5
        return state

    def observe(self, state: SignalState, sample: Series, labels: Shaped[Tensor, "B *targets"] | None) -> SignalState:
        return {"trial": state["trial"] + 1} if self.sizes == "redrawn" else {}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        signs = require(view.signs, "weight_sign")
        m = from_above(view, lambda name: self._sizes(state, name, signs[name]) * signs[name])
        return ThirdFactor({"input": m}, {}, {})

    def _sizes(self, state: SignalState, name: str, signs: Tensor) -> Tensor | float:
        """The magnitudes M of the feedback weights for one weight matrix."""
        if self.sizes == "fixed":
            return state[f"sizes.{name}"]
        if self.sizes == "uniform":
            return float(prod(signs.shape[1:]) ** -0.5)
        generator = generator_of(state["seed"], int(state["trial"]), sum(name.encode()))
        drawn = torch.randn(signs.shape, generator=generator, dtype=torch.float64).abs()
        return (drawn * prod(signs.shape[1:]) ** -0.5).to(signs)


ENTRY = SignSymmetry
