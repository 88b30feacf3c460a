"""A linear read-out per layer, whose error on the label is the third factor of the layer (DECOLLE)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.net_shape import LayerShape, NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time, one_hot
from neurorules.contracts.view import View, bought
from neurorules.signals._features import feature_count, from_features, to_features


@dataclass(frozen=True)
class LocalReadout(Signal):
    """m_l = G_l^T (softmax(G_l r_l + c_l) - y*), with r_l the mean spikes of the layer. Source: Kaiser, Mostafa &
    Neftci 2020.

    Deviations: the loss is the cross-entropy on the mean spikes of a trial; the paper has a smooth L1 loss at each
    step.

    Args:
        readouts: "learned", each by its own delta rule, or "fixed" at random weights.
    """

    readouts: Literal["learned", "fixed"] = "learned"
    summary = "spikes"
    reads_out = frozenset({"local_w", "local_b"})

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The label and the read-outs; fixed feedback too, where the read-outs stay random."""
        needs = {"target", "local_readout", "layer_pool"}
        return frozenset(needs | {"fixed_feedback"} if self.readouts == "fixed" else needs)

    def parameters(self, net: NetShape, generator: torch.Generator) -> dict[str, Tensor]:
        if self.readouts == "fixed":
            return {}
        weights: dict[str, Tensor] = {}
        for layer in net.hidden:
            weights[f"{layer.name}.local_w"] = torch.zeros(net.classes, feature_count(layer.shape), dtype=torch.float64)
            weights[f"{layer.name}.local_b"] = torch.zeros(net.classes, dtype=torch.float64)
        return weights

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        state: SignalState = {}
        if self.readouts == "fixed":
            for layer in net.hidden:
                count = feature_count(layer.shape)
                shape = (net.classes, count)
                state[f"{layer.name}.local_w"] = (
                    torch.randn(shape, generator=generator, dtype=torch.float64) * count**-0.5
                )
                state[f"{layer.name}.local_b"] = torch.zeros(net.classes, dtype=torch.float64)
        return state

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        labels = bought(view.labels, "target")
        name = view.layer.name
        source = parameters if self.readouts == "learned" else state
        weights, bias = source[f"{name}.local_w"], source[f"{name}.local_b"]
        features = to_features(view.summary["input"])
        error = torch.softmax(features @ weights.T + bias, 1) - one_hot(labels, weights.shape[0], features)
        m = from_features(error @ weights, view.layer.shape)
        gradients: dict[str, Tensor] = {}
        if self.readouts == "learned":
            gradients = {f"{name}.local_w": error.T @ features, f"{name}.local_b": error.sum(0)}
        return ThirdFactor({"input": constant_in_time(m, view.steps)}, gradients, {})

    def scores(
        self, state: SignalState, parameters: Mapping[str, Tensor], last: LayerShape, summary: Mapping[str, Tensor]
    ) -> Float[Tensor, "B C"]:
        source = parameters if self.readouts == "learned" else state
        features = to_features(summary["input"])
        return features @ source[f"{last.name}.local_w"].T + source[f"{last.name}.local_b"]


ENTRY = LocalReadout
