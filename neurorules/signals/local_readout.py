"""A linear read-out per layer, whose error on the label is the third factor of the layer (DECOLLE)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import Every, View
from neurorules.signals._features import feature_count, to_features
from neurorules.signals._own_errors import Errors, error_of, own_rows


@dataclass(frozen=True)
class LocalReadout(Signal):
    """m_l = G_l^T (softmax(G_l r_l + c_l) - y*), where r_l is the layer's mean spikes. Source: Kaiser, Mostafa & Neftci
    2020. For several labels the softmax is replaced by sigmoids; for values it is left out.

    Deviations: the loss is the cross-entropy on the mean spikes of a trial; the paper has a smooth L1 loss at each
    step.

    Args:
        readouts: "learned", each by its own delta rule, or "fixed", with random weights.
        feedback: the weights that carry the error to the neurons: the read-out's own weights, transposed; or "sparse",
            fixed random weights, uniform within +-sqrt(C / N_l), through which each neuron receives the error of a
            single class. Source: He et al. 2025 (STSF).
        errors: "trial" if r_l is the mean of the trial; "step" if each step has an error, computed from its spikes, and
            the errors are averaged. Targets or scores of single steps require "step".
    """

    readouts: Literal["learned", "fixed"] = "learned"
    feedback: Literal["readout", "sparse"] = "readout"
    errors: Errors = "trial"
    tasks = frozenset(TASKS)
    steps_apart = True
    summary = "spikes"
    reads_out = frozenset({"local_w", "local_b"})

    @cached_property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The label and the read-outs, and fixed feedback if the read-outs or the feedback weights stay random."""
        needs = {"target", "local_readout", "layer_pool"}
        random = self.readouts == "fixed" or self.feedback == "sparse"
        return frozenset(needs | {"fixed_feedback"} if random else needs)

    @cached_property
    def every(self) -> Every | None:  # type: ignore[override]
        """The spikes of each step, if each step has an error."""
        return "spikes" if self.errors == "step" else None

    @cached_property
    def momentary(self) -> bool:  # type: ignore[override]
        """Whether the error of a step is computed from the spikes of that step only."""
        return self.errors == "step"

    @cached_property
    def timing(self) -> Literal["step", "trial"]:  # type: ignore[override]
        """When errors are known: at once if each step has an error, otherwise at the end of the trial."""
        return self.errors

    def by_steps(self) -> Signal:
        return replace(self, errors="step")

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
        if self.feedback == "sparse":
            for layer in net.hidden:
                state[f"{layer.name}.sparse"] = _one_class_each(net.classes, feature_count(layer.shape), generator)
        return state

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        name = view.layer.name
        source = parameters if self.readouts == "learned" else state
        weights, bias = source[f"{name}.local_w"], source[f"{name}.local_b"]
        rows = own_rows(view, len(weights))
        error = error_of(rows.features @ weights.T + bias, rows.target, view.net.task) / rows.share
        gradients: dict[str, Tensor] = {}
        if self.readouts == "learned":
            gradients = {f"{name}.local_w": error.T @ rows.features, f"{name}.local_b": error.sum(0)}
        back = state[f"{name}.sparse"] if self.feedback == "sparse" else weights
        return ThirdFactor({"input": rows.third_factor(error @ back)}, gradients, {})

    def scores(
        self, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape,
        summary: Mapping[str, Mapping[str, Tensor]],
    ) -> Float[Tensor, "B C"]:  # fmt: skip
        last = net.hidden[-1].name
        source = parameters if self.readouts == "learned" else state
        features = to_features(summary[last]["input"])
        return features @ source[f"{last}.local_w"].T + source[f"{last}.local_b"]


def _one_class_each(classes: int, count: int, generator: torch.Generator) -> Float[Tensor, "C F"]:
    """Feedback weights with one nonzero entry per column, uniform within +-sqrt(classes / count)."""
    size = (2 * torch.rand(count, generator=generator, dtype=torch.float64) - 1) * (classes / count) ** 0.5
    own = torch.randint(classes, (count,), generator=generator)
    return torch.nn.functional.one_hot(own, classes).T * size


ENTRY = LocalReadout
