"""Sigprop's learning signal: class prototypes travel forward through the same weights, and each layer compares.

At every layer the sample's activity a_h and the C prototypes' activities a_t, both centred, are compared by cosine;
the cross-entropy of softmax(cosine / tau) against the label is the layer's loss. Nothing comes back from above.
Source: Kohan, Rietman & Siegelmann 2023 (target-only generator, similarity cross-entropy with labels as positives).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from neurorules.series import Series
from neurorules.signals._features import feature_count, from_features, to_features
from neurorules.signals._shared import (
    LayerShape,
    NetShape,
    PhaseDrive,
    Signal,
    SignalState,
    Summary,
    ThirdFactor,
    View,
    constant_in_time,
    one_hot,
)
from neurorules.streaming import RunningMean, start_at

RATE = 0.1
"""Share of the way to 128 samples' mean that the centre of h moves."""
LARGEST_TAU = 0.3
"""Temperature of small layers. Source: measured on digits, nets of 24 to 64 neurons a layer."""
SMALLEST_NORM = 1e-6
"""Added to norms, so that a silent layer has a direction."""


@dataclass(frozen=True)
class Prototypes(Signal):
    """l = CE(cos(a_h - mean, a_t - mean over classes) / tau, label); m = its derivative, for both streams.

    Args:
        form: what a is: the time average of f(v) (surrogate, before the spike) or of max(v, 0) (voltage alone).
        tau: temperature of the softmax, > 0; None for min(0.3, sqrt(2 / features)), which follows the spread that
            chance gives to a cosine of that many features.
        targets: pushed through the weights, or fixed random codes of each layer's own (a control).
        embedding: of the classes at the first layer: fixed or learned rows of random current, or class_means, the
            running mean input of each class, sent through the first layer's weights.
    """

    form: Literal["surrogate", "voltage"] = "surrogate"
    tau: float | None = None
    targets: Literal["pushed", "codes"] = "pushed"
    embedding: Literal["fixed", "learned", "class_means"] = "learned"
    needs = frozenset({"target", "layer_pool"})

    @property
    def phases(self) -> tuple[str, ...]:  # type: ignore[override]
        """The target stream is a phase of its own where prototypes are pushed."""
        return ("input", "target") if self.targets == "pushed" else ("input",)

    @property
    def summary(self) -> Summary:  # type: ignore[override]
        """What the form compares."""
        return "positive_v" if self.form == "voltage" else "graded"

    def temperature(self, features: int) -> float:
        """tau for a layer of so many features."""
        return min(LARGEST_TAU, (2 / features) ** 0.5) if self.tau is None else self.tau

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        like = torch.zeros((), dtype=torch.float64)
        state: SignalState = {f"{a.name}.centre": start_at(0.0, (feature_count(a.shape),), like) for a in net.hidden}
        if self.targets == "codes":
            for layer in net.hidden:
                shape = (net.classes, feature_count(layer.shape))
                state[f"{layer.name}.code"] = torch.randn(shape, generator=generator, dtype=torch.float64)
        elif self.embedding == "fixed":
            state["embedding"] = _random_rows(net, generator)
        elif self.embedding == "class_means":
            state["class_means"] = torch.zeros(net.classes, *net.input_shape, dtype=torch.float64)
            state["class_mass"] = torch.zeros(net.classes, dtype=torch.float64)
        return state

    def parameters(self, net: NetShape, generator: torch.Generator) -> dict[str, Tensor]:
        if self.targets == "pushed" and self.embedding == "learned":
            return {f"{net.layers[0].name}.embedding": _random_rows(net, generator)}
        return {}

    def drive(
        self, phase: str, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape, sample: Series,
        output_error: Tensor | None, labels: Tensor | None,
    ) -> PhaseDrive:  # fmt: skip
        if self.embedding == "class_means":
            mass = state["class_mass"].clamp(min=1e-12).reshape(-1, *(1,) * len(net.input_shape))
            return PhaseDrive(Series(state["class_means"] / mass, True))
        rows = state["embedding"] if self.embedding == "fixed" else parameters[f"{net.layers[0].name}.embedding"]
        return PhaseDrive(None, injected=rows)

    def observe(self, state: SignalState, sample: Series, labels: Tensor) -> SignalState:
        if "class_means" not in state:
            return {}
        means, mass = state["class_means"], state["class_mass"]
        mean_input = sample.values if sample.constant else sample.values.mean(0)
        members = one_hot(labels, means.shape[0], means)
        counts = members.sum(0)
        kept = (1 - RATE) ** (counts * means.shape[0] / 128)
        shape = (-1, *(1,) * (means.ndim - 1))
        class_mean = torch.tensordot(members.T, mean_input, 1) / counts.clamp(min=1).reshape(shape)
        moved = kept.reshape(shape) * means + (1 - kept).reshape(shape) * class_mean
        return {"class_means": moved, "class_mass": kept * mass + 1 - kept}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        assert view.labels is not None
        name, shape, samples = view.layer.name, view.layer.shape, len(view.labels)
        h = to_features(view.summary["input"])
        centre: RunningMean = state[f"{name}.centre"]
        t = state[f"{name}.code"] if self.targets == "codes" else to_features(view.summary["target"])
        u, h_norm = _unit(h - centre.value)
        w, t_norm = _unit(t - t.mean(0))
        cosine = u @ w.T
        tau = self.temperature(h.shape[1])
        error = (torch.softmax(cosine / tau, 1) - one_hot(view.labels, len(w), h)) / tau
        to_h = (error @ w - (error * cosine).sum(1, keepdim=True) * u) / h_norm
        m = {"input": constant_in_time(from_features(to_h, shape), view.steps)}
        if self.targets == "pushed":
            to_t = (error.T @ u - (error * cosine).sum(0)[:, None] * w) / t_norm
            to_t = to_t - to_t.mean(0)
            m["target"] = constant_in_time(from_features(to_t, shape), view.steps)
        return ThirdFactor(m, {}, {f"{name}.centre": centre.updated(h.mean(0), samples, RATE)})

    def scores(
        self, state: SignalState, parameters: Mapping[str, Tensor], last: LayerShape, summary: Mapping[str, Tensor]
    ) -> Tensor:
        h = to_features(summary["input"])
        t = state[f"{last.name}.code"] if self.targets == "codes" else to_features(summary["target"])
        u, _ = _unit(h - state[f"{last.name}.centre"].value)
        w, _ = _unit(t - t.mean(0))
        return u @ w.T / self.temperature(h.shape[1])


def _random_rows(net: NetShape, generator: torch.Generator) -> Tensor:
    return torch.randn(net.classes, *net.layers[0].shape, generator=generator, dtype=torch.float64)


def _unit(rows: Tensor) -> tuple[Tensor, Tensor]:
    norm = rows.norm(dim=1, keepdim=True) + SMALLEST_NORM
    return rows / norm, norm


ENTRY = Prototypes
