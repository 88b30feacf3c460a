"""Fixed class vectors: each layer compares its activity with a fixed vector of the sample's class (SPELA)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time
from neurorules.contracts.view import View, require
from neurorules.signals._features import feature_count, from_features, lengths, to_features


@dataclass(frozen=True)
class ClassVectors(Signal):
    """m_l = dL/dh with L = log(2 - cos(h, v)), where h is the layer's mean spikes and v the fixed vector of the class.

    If a layer has more features than classes, the vectors form a randomly rotated regular simplex, so that the distance
    between any two is as large as possible. Smaller layers have random unit vectors. Source: Somasundaram, Mishra &
    Borthakur 2025.

    Args:
        loss: log for log(2 - cos), or cosine for -cos.
        centred: whether the mean over the layer is subtracted from h and from every vector before the comparison.
            Without this, spikes, which are never negative, could not match vectors, half of whose entries are negative.
    """

    loss: Literal["log", "cosine"] = "log"
    centred: bool = True
    needs = frozenset({"target", "fixed_feedback", "layer_pool"})
    summary = "spikes"

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        return {
            f"{layer.name}.vectors": _spread(net.classes, feature_count(layer.shape), self.centred, generator)
            for layer in net.hidden
        }

    def vectors(self, classes: int, count: int, seed: int) -> Float[Tensor, "C F"]:
        """Draw the vectors of all classes for one layer.

        Args:
            classes: number of classes C.
            count: number of features F of the layer.
            seed: the seed of the random numbers.

        Returns:
            Vectors of length 1, in float64.
        """
        return _spread(classes, count, self.centred, torch.Generator().manual_seed(seed))

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        h = self._centre(to_features(view.summary["input"]))
        own = state[f"{view.layer.name}.vectors"][require(view.labels, "target")]
        length = lengths(h, 1 / view.steps)
        direction = h / length
        cosine = (direction * own).sum(1, keepdim=True)
        slope = -1 / (2 - cosine) if self.loss == "log" else -torch.ones_like(cosine)
        gradient = self._centre(slope * (own - cosine * direction) / length)
        return ThirdFactor(
            {"input": constant_in_time(from_features(gradient, view.layer.shape), view.steps)}, {}, {}
        )  # fmt: skip

    def scores(
        self, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape,
        summary: Mapping[str, Mapping[str, Tensor]],
    ) -> Float[Tensor, "B C"]:  # fmt: skip
        last = net.hidden[-1].name
        h = self._centre(to_features(summary[last]["input"]))
        return h / lengths(h, 1.0) @ state[f"{last}.vectors"].T

    def _centre(self, rows: Float[Tensor, "R F"]) -> Float[Tensor, "R F"]:
        return rows - rows.mean(1, keepdim=True) if self.centred else rows


def _spread(classes: int, count: int, centred: bool, generator: torch.Generator) -> Float[Tensor, "C F"]:
    """Unit vectors of all classes: a regular simplex if there are enough dimensions, else random directions."""
    drawn = torch.randn(classes, count, generator=generator, dtype=torch.float64)
    if centred and count > 1:
        drawn = drawn - drawn.mean(1, keepdim=True)
    if 1 < classes < count:
        drawn = torch.linalg.qr(drawn.T).Q.T
        drawn = drawn - drawn.mean(0)
    return drawn / torch.linalg.vector_norm(drawn, dim=1, keepdim=True)


ENTRY = ClassVectors
